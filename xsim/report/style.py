"""The style sheet of report.html: light and dark, printable, no outside fonts."""

CSS = """
:root{--ink:#1c2127;--soft:#5b6570;--line:#d9dee4;--ground:#fbfcfd;--card:#fff;--accent:#0b5fa5;--warn:#fff6dd;
--edge:#d9a400}
@media (prefers-color-scheme:dark){:root{--ink:#e7ebef;--soft:#a3adb8;--line:#39424c;--ground:#15191e;--card:#1d2329;
--accent:#7db8ee;--warn:#3a3115;--edge:#c99a1c}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1280px;margin:0 auto;padding:2rem 1.25rem 4rem}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .5rem}
h2{font-size:1.25rem;margin:0 0 .4rem}
header p{max-width:75ch;margin:.3rem 0}header .facts{max-width:none}
.facts,.small{color:var(--soft);font-size:.88rem}
.small{max-width:90ch;margin:.6rem 0 0}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1.1rem 1.25rem;
margin:1.25rem 0}
section>p{margin:.2rem 0 .7rem;color:var(--soft)}
.kind{font-size:.8rem;font-weight:500;color:var(--accent);border:1px solid var(--line);border-radius:99px;
padding:.1rem .6rem;
vertical-align:middle;margin-left:.3rem}
img{display:block;max-width:100%;height:auto;background:#fff;border-radius:6px}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-nums}
th,td{padding:.35rem .7rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap;vertical-align:top}
thead th{font-weight:600;color:var(--soft);vertical-align:bottom;white-space:normal}
thead tr:first-child th:first-child,td:first-child{text-align:left}
a{color:var(--accent)}
.settings{display:inline-table;margin:.5rem 2rem .5rem 0;vertical-align:top}
.settings th,.settings td{text-align:left;font-weight:400;white-space:normal;padding:.15rem .8rem .15rem 0;
word-break:break-word}
.settings th{color:var(--soft)}
details{margin-top:.8rem}summary{cursor:pointer;color:var(--accent)}
pre{overflow-x:auto;font:13px/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.warning{background:var(--warn);border-left:4px solid var(--edge);border-radius:4px;padding:.5rem .9rem;
margin:.8rem 0;font-size:.92rem}
.warning ul{margin:.2rem 0 0;padding-left:1.2rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;
font-size:.92rem}dt{color:var(--soft)}dd{margin:0}
@media print{body{background:#fff}section{break-inside:avoid;border:none}details{display:none}}
"""
