"""Addresses and URLs that must not be reached, and some that must."""


def _words(text: str) -> list[str]:
    return [word for line in text.split("\n") for word in line.split(" ") if word]


FORBIDDEN_IPS = _words(
    """
0.0.0.0 0.0.0.1 0.255.255.255 10.0.0.0 10.0.0.1 10.255.255.255 100.64.0.0 100.100.100.200
100.127.255.255 127.0.0.0 127.0.0.1 127.0.0.2 127.1.2.3 127.255.255.255 168.63.129.16 169.254.0.0
169.254.169.254 169.254.170.2 169.254.255.255 172.16.0.0 172.17.0.1 172.31.255.255 192.0.0.0
192.0.0.192 192.0.0.255 192.0.2.0 192.0.2.255 192.31.196.1 192.52.193.1 192.88.99.0 192.88.99.255
192.168.0.0 192.168.1.1 192.168.255.255 192.175.48.1 198.18.0.0 198.19.255.255 198.51.100.1
203.0.113.1 224.0.0.0 224.0.0.1 239.255.255.255 240.0.0.0 250.1.2.3 255.255.255.254 255.255.255.255
:: ::1 ::2 ::7f00:1 ::a00:1 ::ffff:0.0.0.0 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254
::ffff:8.8.8.8 ::ffff:0:127.0.0.1 ::ffff:0:8.8.8.8 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe
64:ff9b::808:808 64:ff9b:1::1 64:ff9b:1:ffff::7f00:1 100::1 100:0:0:1::1 2001::1
2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:2::1 2001:10::1 2001:20::1 2001:db8::1 2001:db8:ffff::1
2002:7f00:1:: 2002:a00:1::1 2002:a9fe:a9fe:: 2620:4f:8000::1 3fff::1 3fff:fff::1 5f00::1
5f00:ffff::1 fc00::1 fd00::1 fd00:ec2::254 fdff:ffff::1 fe80::1 fe80::1%1 febf::1 fec0::1 ff00::1
ff02::1 ff0e::1 4000::1 8000::1 e000::1 200::1
"""
)
PUBLIC_IPS = _words(
    """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
149.154.167.220 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255
192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255 2001:4860:4860::8888 2606:4700:4700::1111
2001:67c:4e8:f004::9 2003::1 2a00:1450:4001::1 2400:cb00::1
"""
)
# Each names this machine, or a cloud's, or lets some program read it so; `{port}` is the canary's.
WAYS_IN = _words(
    """
http://127.0.0.1:{port}/ http://127.0.0.1.:{port}/ http://127.1:{port}/ http://127.0.1:{port}/
http://127.255.255.254:{port}/ http://0:{port}/ http://0.0.0.0:{port}/ http://0.0:{port}/
http://2130706433:{port}/ http://02130706433:{port}/ http://017700000001:{port}/
http://0x7f000001:{port}/ http://0x7f.1:{port}/ http://0x7f.0.0.1:{port}/ http://0x:{port}/
http://0X7F.0X0.0X0.0X1:{port}/ http://0177.0.0.1:{port}/ http://0177.0.0.01:{port}/
http://127.0.0.0x1:{port}/ http://127.0x1:{port}/ http://00000177.1:{port}/
http://127.0.0.01:{port}/ http://127.000.000.001:{port}/ http://0x7f.0.1:{port}/
http://127.0.0.1.0:{port}/ http://4294967296.2130706433:{port}/ http://127.0.0.257:{port}/
http://383.0.0.1:{port}/ http://[::1]:{port}/ http://[::]:{port}/ http://[0:0:0:0:0:0:0:1]:{port}/
http://[0000::0001]:{port}/ http://[::ffff:127.0.0.1]:{port}/ http://[::ffff:7f00:1]:{port}/
http://[::127.0.0.1]:{port}/ http://[::ffff:0:127.0.0.1]:{port}/
http://[64:ff9b::127.0.0.1]:{port}/ http://[64:ff9b:1::7f00:1]:{port}/ http://[2002:7f00:1::]:{port}/
http://[::1%25lo]:{port}/ http://[::1%lo]:{port}/ http://[fe80::1%25lo]:{port}/
http://[::1]x:{port}/ http://x[::1]:{port}/ http://[[::1]]:{port}/ http://[::1:{port}/
http://::1:{port}/ http://[127.0.0.1]:{port}/ http://[localhost]:{port}/ http://[v1.127]:{port}/
http://[::1]:{port}:80/ http://localhost:{port}/ http://LOCALHOST:{port}/ http://localhost.:{port}/
http://a.localhost:{port}/ http://localhost.localdomain:{port}/ http://ip6-localhost:{port}/
http://loopback.internal:{port}/ http://consent:{port}/ http://postgres:{port}/
http://metadata:{port}/ http://metadata.google.internal:{port}/ http://printer.local:{port}/
http://router.lan:{port}/ http://nas.home.arpa:{port}/ http://db.corp:{port}/
http://user@127.0.0.1:{port}/ http://user:pass@127.0.0.1:{port}/
http://example.com@127.0.0.1:{port}/ http://127.0.0.1:{port}@example.com/ http://@127.0.0.1:{port}/
http://example.com:80@127.0.0.1:{port}/ http://example.com%40127.0.0.1:{port}/
http://127.0.0.1%2f:{port}/ http://127.0.0.1%00.example.com:{port}/
http://example.com%2f@127.0.0.1:{port}/ http://127%2e0%2e0%2e1:{port}/
http://%31%32%37.0.0.1:{port}/ http://example.com\\@127.0.0.1:{port}/
http://127.0.0.1:{port}\\@example.com/ http:\\\\127.0.0.1:{port}\\
http://example.com#@127.0.0.1:{port}/ http://127.0.0.1:{port}#.example.com/
http:127.0.0.1:{port}/ http:/127.0.0.1:{port}/ http:///127.0.0.1:{port}/ //127.0.0.1:{port}/
127.0.0.1:{port} http://127。0。0。1:{port}/ http://１２７.０.０.１:{port}/
http://①②⑦.⓪.⓪.①:{port}/ http://ⓛocalhost:{port}/ http://lo\u00adcalhost:{port}/
http://localhost\u200b:{port}/ http://127.0.0.1\u3002:{port}/ http://127.0.0.1\t:{port}/
http://127.0\r.0.1:{port}/ \thttp://127.0.0.1:{port}/ http://127.0.0.1\x00:{port}/
http://exam\x00ple.com:{port}/ http://127.0.0.1\x0b:{port}/ http://127.0.0.1\x85:{port}/
ftp://127.0.0.1:{port}/ file:///etc/passwd file://127.0.0.1:{port}/ gopher://127.0.0.1:{port}/_x
dict://127.0.0.1:{port}/ ldap://127.0.0.1:{port}/ javascript:alert(1) data:text/plain,x
jar:http://127.0.0.1:{port}/!/ unix:///var/run/docker.sock http+unix://%2Fvar%2Frun/
ws://127.0.0.1:{port}/ HTTPS+x://127.0.0.1:{port}/ http://127.0.0.1:0{port}/
http://127.0.0.1:+{port}/ http://127.0.0.1:-{port}/ http://127.0.0.1:0x50/ http://127.0.0.1:/
http://127.0.0.1:99999/ http://127.0.0.1:0/ http://127.0.0.1:٨٠٨٠/ http://*.127.0.0.1:{port}/
http://-127.0.0.1:{port}/ http://_:{port}/ http://a..b:{port}/ http://.:{port}/
http://169.254.169.254/latest/meta-data/ http://2852039166/ http://0xa9fea9fe/
http://0251.0376.0251.0376/ http://[::ffff:169.254.169.254]/ http://[fd00:ec2::254]/
http://100.100.100.200/ http://168.63.129.16/ http://192.0.0.192/ http://10.0.0.1/
http://172.17.0.1/ http://192.168.1.1/ http://[fc00::1]/ http://[::]/ http://169.254.170.2/v2/
http://kubernetes.default.svc/ http://kubernetes.default.svc.cluster.local/ http://10.96.0.1/
http://[fe80::a9fe:a9fe]/ http://[2002:a9fe:a9fe::]/ http://[64:ff9b::a9fe:a9fe]/ http://[5f00::1]/
http://[::ffff:0a00:0001]/ http://[2001::1]/ http://[ff02::1]/ http://224.0.0.1/ http://240.0.0.1/
http://255.255.255.255/ http://198.18.0.1/ http://100.64.0.1/ http://192.88.99.1/ http://012.0.0.1/
"""
)
