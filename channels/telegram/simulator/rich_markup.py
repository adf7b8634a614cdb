"""Rich messages written as HTML or Markdown: the part of the markup that makes up a story."""

import re
from html.parser import HTMLParser
from typing import Any

Block = dict[str, Any]
Named = dict[str, Any]

_MEDIA = re.compile(r"tg://(photo|video|document|audio)\?id=([\w-]+)")
_IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
_HEADING = re.compile(r"(#{1,6})\s+(.*)")
_INLINE = {"b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline",
           "s": "strikethrough", "code": "code", "mark": "marked"}  # fmt: skip
_HOLDERS = {"tg-slideshow": "slideshow", "tg-collage": "collage", "blockquote": "blockquote"}
_TEXTS = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "footer", "figcaption"}


def media_block(url: str, named: Named) -> Block | None:
    """Return the block of a medium that is named by a `tg://photo?id=…` link, or by its URL."""
    match = _MEDIA.fullmatch(url)
    if match is None:
        return {"type": "photo", "photo": {"type": "photo", "media": url}} if url else None
    media = named.get(match[2])
    if not isinstance(media, dict):
        return None
    kind = str(media.get("type") or match[1])
    return {"type": kind, kind: media}


class _Reader(HTMLParser):
    """Builds blocks from HTML as it goes by."""

    def __init__(self, named: Named) -> None:
        super().__init__(convert_charrefs=True)
        self.named = named
        self.holders: list[list[Block]] = [[]]
        self.text: list[Any] = []
        self.styles: list[dict[str, Any]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in _HOLDERS:
            self.flush()
            self.holders.append([])
        elif tag in ("img", "video"):
            self.flush()
            block = media_block(given.get("src") or "", self.named)
            if block is not None:
                self.holders[-1].append(block)
        elif tag in ("hr", "br"):
            if tag == "hr":
                self.flush()
                self.holders[-1].append({"type": "divider"})
            else:
                self.handle_data("\n")
        elif tag == "a":
            self.styles.append({"type": "url", "url": given.get("href") or ""})
        elif tag in _INLINE:
            self.styles.append({"type": _INLINE[tag]})
        elif tag in _TEXTS:
            self.flush()

    def handle_endtag(self, tag: str) -> None:
        if tag in _HOLDERS and len(self.holders) > 1:
            self.flush()
            blocks = self.holders.pop()
            self.holders[-1].append({"type": _HOLDERS[tag], "blocks": blocks})
        elif (tag == "a" or tag in _INLINE) and self.styles:
            self.styles.pop()
        elif tag in _TEXTS:
            self.flush(tag)

    def handle_data(self, data: str) -> None:
        piece: Any = data
        for style in reversed(self.styles):
            piece = {**style, "text": piece}
        if self.text or data.strip():
            self.text.append(piece)

    def flush(self, tag: str = "p") -> None:
        text, self.text = self.text, []
        if not text:
            return
        said = text[0] if len(text) == 1 else text
        if tag[0] == "h":
            self.holders[-1].append({"type": "heading", "text": said, "size": int(tag[1])})
        else:
            kind = "footer" if tag == "footer" else "paragraph"
            self.holders[-1].append({"type": kind, "text": said})


def blocks_of_html(source: str, named: Named) -> list[Block]:
    """Return the blocks of a page in HTML."""
    reader = _Reader(named)
    reader.feed(source)
    reader.close()
    reader.flush()
    while len(reader.holders) > 1:
        blocks = reader.holders.pop()
        reader.holders[-1].extend(blocks)
    return reader.holders[0]


def blocks_of_markdown(source: str, named: Named) -> list[Block]:
    """Return the blocks of a page in Markdown: paragraphs, headings, rules and pictures."""
    blocks: list[Block] = []
    for piece in re.split(r"\n\s*\n", source.strip()):
        heading = _HEADING.fullmatch(piece)
        if heading:
            blocks.append({"type": "heading", "text": heading[2], "size": len(heading[1])})
        elif piece.strip() in ("---", "***"):
            blocks.append({"type": "divider"})
        else:
            blocks.extend(
                filter(None, (media_block(url, named) for _, url in _IMAGE.findall(piece)))
            )
            rest = _IMAGE.sub("", piece).strip()
            if rest:
                blocks.append({"type": "paragraph", "text": rest})
    return blocks
