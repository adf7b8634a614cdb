"""The tree against the vectors of Certificate Transparency, and against RFC 9162 word by word."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.ledger import merkle
from shared.ledger.merkle import EMPTY_ROOT, Node, Tree

# From the reference tests of Certificate Transparency (merkletree/merkle_tree_test).
LEAVES = [
    bytes.fromhex(each)
    for each in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
_A = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
_B = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
_C = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
_D = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
_E = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
_F = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
INCLUSIONS = [
    (0, 1, []),
    (0, 8, [_A, _B, _C]),
    (5, 8, [_D, _E, ROOTS[4]]),
    (2, 3, [ROOTS[2]]),
    (1, 5, [ROOTS[1], _B, _D]),
]
CONSISTENCIES = [
    (1, 1, []),
    (1, 8, [_A, _B, _C]),
    (6, 8, [_F, _E, ROOTS[4]]),
    (2, 5, [_B, _D]),
]


def hashes_of(leaves: list[bytes]) -> tuple[Tree, dict[Node, bytes]]:
    """Grow a tree leaf by leaf, as the notary does, and keep what it would store."""
    tree, kept = Tree(), {}
    for number, leaf in enumerate(leaves):
        kept[Node(0, number)] = merkle.leaf_hash(leaf)
        kept.update(tree.append(kept[Node(0, number)]))
    return tree, kept


def naive_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162, 2.1.1."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return merkle.leaf_hash(leaves[0])
    k = split(len(leaves))
    return merkle.node_hash(naive_root(leaves[:k]), naive_root(leaves[k:]))


def naive_path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 9162, 2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*naive_path(m, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive_root(leaves[:k])]


def naive_proof(m: int, leaves: list[bytes], *, known: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 9162, 2.1.4.1."""
    if m == len(leaves):
        return [] if known else [naive_root(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*naive_proof(m, leaves[:k], known=known), naive_root(leaves[k:])]
    return [*naive_proof(m - k, leaves[k:], known=False), naive_root(leaves[:k])]


def split(size: int) -> int:
    k = 1
    while k * 2 < size:
        k *= 2
    return k


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert hashes_of(LEAVES[:size])[0].root().hex() == ROOTS[size]


@pytest.mark.parametrize(("index", "size", "path"), INCLUSIONS)
def test_inclusion_paths_are_those_of_certificate_transparency(
    index: int, size: int, path: list[str]
) -> None:
    _, kept = hashes_of(LEAVES)
    made = merkle.prove(merkle.inclusion_spans(index, size), kept)

    assert [each.hex() for each in made] == path
    leaf, root = merkle.leaf_hash(LEAVES[index]), bytes.fromhex(ROOTS[size])
    assert merkle.includes(leaf, index, size, made, root)


@pytest.mark.parametrize(("old", "new", "path"), CONSISTENCIES)
def test_consistency_paths_are_those_of_certificate_transparency(
    old: int, new: int, path: list[str]
) -> None:
    _, kept = hashes_of(LEAVES)
    made = merkle.prove(merkle.consistency_spans(old, new), kept)

    assert [each.hex() for each in made] == path
    roots = bytes.fromhex(ROOTS[old]), bytes.fromhex(ROOTS[new])
    assert merkle.extends(old, roots[0], new, roots[1], made)


def test_every_proof_of_every_small_tree_is_that_of_the_standard() -> None:
    leaves = [bytes([number]) for number in range(40)]
    _, kept = hashes_of(leaves)
    roots = [naive_root(leaves[:size]) for size in range(41)]
    for new in range(1, 41):
        for index in range(new):
            path = merkle.prove(merkle.inclusion_spans(index, new), kept)
            assert path == naive_path(index, leaves[:new])
            assert merkle.includes(merkle.leaf_hash(leaves[index]), index, new, path, roots[new])
        for old in range(1, new + 1):
            proof = merkle.prove(merkle.consistency_spans(old, new), kept)
            assert proof == naive_proof(old, leaves[:new])
            assert merkle.extends(old, roots[old], new, roots[new], proof)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=8), max_size=130), st.randoms(use_true_random=False))
def test_a_tree_that_goes_on_from_what_was_stored_is_the_tree_of_all(
    leaves: list[bytes], chance: random.Random
) -> None:
    cut = chance.randint(0, len(leaves))
    _, kept = hashes_of(leaves[:cut])
    tree = Tree(cut, (kept[node] for node in merkle.cover(0, cut)))
    for leaf in leaves[cut:]:
        tree.append(merkle.leaf_hash(leaf))

    assert tree.root() == naive_root(leaves)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 100), st.randoms(use_true_random=False))
def test_a_proof_that_was_touched_proves_nothing(size: int, chance: random.Random) -> None:
    leaves = [number.to_bytes(2) for number in range(size)]
    tree, kept = hashes_of(leaves)
    index, old = chance.randrange(size), chance.randint(1, size)
    path = merkle.prove(merkle.inclusion_spans(index, size), kept)
    proof = merkle.prove(merkle.consistency_spans(old, size), kept)
    leaf, old_root = kept[Node(0, index)], naive_root(leaves[:old])

    for wrong in touched(path, chance):
        assert not merkle.includes(leaf, index, size, wrong, tree.root())
    for wrong in touched(proof, chance):
        assert not merkle.extends(old, old_root, size, tree.root(), wrong)
    assert not merkle.includes(leaf, size, size, path, tree.root())
    assert not merkle.includes(merkle.leaf_hash(b"other"), index, size, path, tree.root())
    assert not merkle.extends(old, merkle.leaf_hash(b"x"), size, tree.root(), proof)
    assert not merkle.extends(size + 1, tree.root(), size, tree.root(), proof)


def touched(path: list[bytes], chance: random.Random) -> list[list[bytes]]:
    wrong = [[*path, bytes(32)]]
    if path:
        at = chance.randrange(len(path))
        flipped = bytes([path[at][0] ^ 1 << chance.randrange(8)]) + path[at][1:]
        wrong += [path[:at] + path[at + 1 :], [*path[:at], flipped, *path[at + 1 :]]]
    return wrong


def test_there_is_no_proof_of_what_is_not_there() -> None:
    with pytest.raises(ValueError, match="no such leaf"):
        merkle.inclusion_spans(3, 3)
    with pytest.raises(ValueError, match="grows"):
        merkle.consistency_spans(4, 3)
    with pytest.raises(ValueError, match="one peak"):
        Tree(3, [bytes(32)])
