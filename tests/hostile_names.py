"""Names of classes that would do harm on a page that took them for more than names."""

HOSTILE = "</script><script>alert('1')</script>"
QUOTED = "\"><img src=x onerror=alert(2)> {{ 7*7 }} & 'é"
PLAIN = "owl"
