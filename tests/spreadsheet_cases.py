"""Names, and how a table has them so that no spreadsheet computes one: for Python and for the page alike."""

# A name, before it is written; and with an apostrophe before it where there has to be one.
SPREADSHEET_CASES = {
    "cat": "cat",
    "": "",
    "=": "=",
    "-": "-",
    "=1+1": "'=1+1",
    "+1": "'+1",
    "-1.png": "'-1.png",
    "@SUM(A1)": "'@SUM(A1)",
    "\t=1": "'\t=1",
    "\r=1": "'\r=1",
    "'=1": "''=1",
    "''=1+1": "'''=1+1",
    "'-": "''-",
    "'tis": "'tis",
    "'": "'",
    "a=1": "a=1",
    " =1": " =1",
    'so "called", =1': 'so "called", =1',
    "two\nlines": "two\nlines",
    "ü😀": "ü😀",
}
