#include "sections.hpp"

namespace shiftnorm::report {

std::string_view style_sheet() {
  return R"css(
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #16191d; --soft: #565d66; --rule: #d9dde2; --faint: #eceff2;
  --blue: 31 90 148; --mark: rgb(var(--blue)); --grey: #8d959e; --tint: .52;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --ink: #e4e7ea; --soft: #a3abb4; --rule: #363c44; --faint: #22272d;
    --blue: 104 166 222; --grey: #77808a; --tint: .5;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", "Liberation Sans", Roboto, "Helvetica Neue", Arial, sans-serif;
  font-variant-numeric: tabular-nums;
}
header, main, footer { max-width: 1120px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 28px; }
h1 { font-size: 1.05rem; font-weight: 600; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; font-weight: 600; margin: 0 0 .3rem; }
h3 { font-size: .95rem; font-weight: 600; margin: 1.2rem 0 .3rem; }
p { margin: .3rem 0 .8rem; max-width: 72ch; }
header p, .lead { color: var(--soft); font-size: .92rem; }
.scroll + .lead { margin-top: 1.2rem; }
section { border-top: 1px solid var(--rule); padding: 22px 0 26px; }
.verdict { border-top: 0; padding-top: 14px; }
.verdict h2 { font-size: 1.55rem; line-height: 1.3; font-weight: 600; max-width: 54ch; overflow-wrap: anywhere; text-wrap: balance; }
.verdict ul { margin: .9rem 0 0; padding-left: 1.1rem; max-width: 76ch; }
.verdict li { margin: .2rem 0; }
.quiet { color: var(--soft); font-size: .84em; font-weight: 400; }
.word { color: var(--soft); font-size: .8em; }
.scroll { position: relative; overflow-x: auto; max-width: 100%; }
.scroll:focus-visible, pre:focus-visible, button:focus-visible { outline: 2px solid var(--mark); outline-offset: 2px; }
table { border-collapse: collapse; font-size: .92rem; line-height: 1.35; }
caption { text-align: left; font-weight: 600; padding: 4px 0 6px; white-space: nowrap; }
th, td { padding: 7px 14px 7px 0; text-align: right; vertical-align: top; border-bottom: 1px solid var(--rule); }
th { font-weight: 600; }
thead th { border-bottom: 1px solid var(--soft); vertical-align: bottom; }
th[scope=row], thead th:first-child, td.left, .words th, .words td { text-align: left; }
.untitled caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
tbody th { font-weight: 600; }
.numbers td { white-space: nowrap; padding-left: 14px; }
.numbers { min-width: min(100%, 640px); }
.numbers tbody th { min-width: 9.5rem; max-width: 17rem; overflow-wrap: anywhere; }
.numbers td b { font-weight: 700; }
.numbers td .word { text-transform: none; }
td.none { color: var(--soft); white-space: normal; min-width: 8rem; }
th button { all: unset; cursor: pointer; font: inherit; white-space: nowrap; border-radius: 2px; }
th button::after { content: "\2195"; color: var(--grey); padding-left: .35em; font-weight: 400; }
th[aria-sort=ascending] button::after { content: "\2191"; color: var(--ink); }
th[aria-sort=descending] button::after { content: "\2193"; color: var(--ink); }
th button:hover { text-decoration: underline; }
.shade { background: rgb(var(--blue) / calc(var(--a) * var(--tint))); }
.words td { overflow-wrap: anywhere; }
.words th { white-space: nowrap; font-weight: 400; color: var(--soft); padding-right: 22px; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(340px, 100%), 1fr)); gap: 22px 20px; margin-top: 14px; }
.figures.small { grid-template-columns: repeat(auto-fill, minmax(232px, 1fr)); gap: 18px 14px; }
figure { margin: 0; break-inside: avoid; }
figcaption { font-weight: 600; font-size: .92rem; margin-bottom: 4px; overflow-wrap: anywhere; }
svg { display: block; max-width: 100%; height: auto; overflow: visible; }
/* A halo: lines behind a text do not cross it. */
svg text { font-size: 13px; fill: var(--ink); paint-order: stroke; stroke: var(--paper); stroke-width: 4px; stroke-linejoin: round; }
svg text.tick, svg .quiet { font-weight: 400; font-size: 11.5px; fill: var(--soft); }
svg text.value { font-weight: 600; }
svg .end { text-anchor: end; }
svg .mid { text-anchor: middle; }
.bar { fill: var(--mark); }
.bar.source { fill: var(--grey); }
.grid { stroke: var(--faint); }
.axis, .zero { stroke: var(--soft); }
.whisker { stroke: var(--ink); stroke-width: 1.5; }
.reference { stroke: var(--soft); stroke-dasharray: 3 3; }
.gap { stroke: var(--mark); stroke-width: 1.5; }
.dot { fill: var(--mark); stroke: var(--paper); stroke-width: 1; }
.dot.open { fill: var(--paper); stroke: var(--mark); stroke-width: 1.8; }
.matrices { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(500px, 100%), 1fr)); gap: 22px 24px; margin-top: 10px; }
.confusion { font-size: .82rem; }
.confusion th, .confusion td { padding: 3px 4px; border: 1px solid var(--faint); }
.confusion tbody td { min-width: 34px; text-align: right; }
.confusion th { font-weight: 400; text-align: left; white-space: nowrap; border: 0; }
.confusion thead th { vertical-align: bottom; text-align: center; border: 0; }
.confusion thead th span { writing-mode: vertical-rl; transform: rotate(180deg); }
.confusion .corner { vertical-align: bottom; text-align: left; color: var(--soft); font-size: .92em; padding-left: 0; border: 0; white-space: nowrap; }
.confusion .hit { outline: 1px solid var(--soft); outline-offset: -2px; font-weight: 600; }
.confusion .zero { color: var(--soft); }
pre { background: var(--faint); padding: 12px 14px; overflow-x: auto; font-size: .85rem; line-height: 1.45; margin: 0; }
code, pre { font-family: ui-monospace, "Liberation Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace; }
code { font-size: .9em; unicode-bidi: isolate; overflow-wrap: anywhere; }
.notes { padding-left: 1.1rem; }
dl { margin: 12px 0 0; font-size: .88rem; color: var(--soft); max-width: 84ch; }
dt { font-weight: 600; float: left; margin-right: .5em; }
dd { margin: 0 0 .15rem; }
footer { color: var(--soft); font-size: .85rem; padding-bottom: 32px; }
@media (max-width: 560px) {
  header, main, footer { padding-left: 14px; padding-right: 14px; }
  .verdict h2 { font-size: 1.25rem; }
  .numbers tbody th { max-width: 9.5rem; }
  .figures.small { justify-items: center; }
  .words th { white-space: normal; }
}
@media print {
  :root { --paper: #fff; --ink: #000; --soft: #444; --rule: #bbb; --faint: #eee; --blue: 31 90 148; --grey: #888; }
  html { font-size: 11.5px; }
  body { font-size: 1rem; }
  .figures { grid-template-columns: 1fr 1fr; }
  .figures.small { grid-template-columns: 1fr 1fr 1fr; }
  .numbers td, .numbers th { padding-left: 8px; padding-right: 6px; }
  .shade, .bar, .confusion td, pre { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .scroll, pre { overflow: visible; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  th button::after { content: ""; }
  tr, figure { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
}
)css";
}

}  // namespace shiftnorm::report
