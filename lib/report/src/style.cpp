#include <fmt/format.h>

#include <array>
#include <utility>

#include "sections.hpp"

namespace shiftnorm::report {
namespace {

constexpr std::string_view kLight =
    "--paper: #ffffff; --ink: #16191d; --soft: #565d66; --rule: #d9dde2; --faint: #eceff2; "
    "--blue: 31 90 148; --warm: 176 84 28; --grey: #8d959e; --tint: .52;";
constexpr std::string_view kDark =
    "--paper: #14171b; --ink: #e4e7ea; --soft: #a3abb4; --rule: #363c44; --faint: #22272d; "
    "--blue: 104 166 222; --warm: 224 150 92; --grey: #77808a; --tint: .5;";

/// Of the pictures alone; they get their colours from the page, or carry the light ones with them.
constexpr std::string_view kPictures = R"css(
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
.area { fill: var(--mark); fill-opacity: .22; stroke: var(--mark); stroke-width: 1.2; stroke-linejoin: round; }
.curve { fill: none; stroke: var(--mark); stroke-width: 2; stroke-linejoin: round; }
.curve.source { stroke: var(--grey); stroke-width: 1.6; }
.curve.faint { stroke-width: 1; opacity: .45; }
.other { fill: var(--other); }
.label { stroke: var(--ink); stroke-width: 1.8; }
.limit { stroke: var(--other); stroke-dasharray: 4 3; }
.cell { stroke: var(--paper); stroke-width: 1; }
.tip { fill: var(--mark); }
.tip:hover { fill-opacity: .08; }
.dot.warm { fill: var(--other); }
svg text.inside { font-size: 11.5px; stroke: none; }
)css";

constexpr std::string_view kPage = R"css(
:root { color-scheme: light dark; }
:root[data-theme=light] { color-scheme: light; }
:root[data-theme=dark] { color-scheme: dark; }
:root { --mark: rgb(var(--blue)); --other: rgb(var(--warm)); }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", "Liberation Sans", Roboto, "Helvetica Neue", Arial, sans-serif;
  font-variant-numeric: tabular-nums;
}
header, main, footer { max-width: 1120px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 28px; position: relative; }
.theme { position: absolute; right: 20px; top: 24px; }
.theme, .copy { font: inherit; font-size: .8rem; color: var(--soft); background: none; border: 1px solid var(--rule); border-radius: 4px; padding: 2px 9px; cursor: pointer; }
.theme:hover, .copy:hover { color: var(--ink); border-color: var(--soft); }
.table { position: relative; }
.copy { border: 0; padding: 4px 0; font-size: .78rem; justify-self: start; align-self: start; }
.copy:hover { text-decoration: underline; }
details { margin-top: 6px; font-size: .92rem; }
summary { color: var(--soft); cursor: pointer; font-size: .85rem; width: max-content; }
details .scroll { max-height: 320px; overflow-y: auto; margin-top: 4px; }
summary:focus-visible, .theme:focus-visible, .copy:focus-visible { outline: 2px solid var(--mark); outline-offset: 2px; }
.tall { max-height: 70vh; overflow-y: auto; }
.tall thead th, details .scroll thead th { position: sticky; top: 0; background: var(--paper); box-shadow: 0 1px 0 var(--soft); }
.side { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(300px, 100%), 1fr)); gap: 20px 28px; align-items: start; }
.side table { width: 100%; }
.thumbnails { display: flex; flex-wrap: wrap; gap: 12px; margin: 10px 0 0; padding: 0; list-style: none; }
.thumbnails img { display: block; image-rendering: auto; border: 1px solid var(--rule); }
.thumbnails li { font-size: .75rem; color: var(--soft); max-width: 110px; overflow-wrap: anywhere; }
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
.answers { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); gap: 4px 40px; margin-top: .6rem; }
.answers h3 { margin: .6rem 0 0; color: var(--soft); font-size: .9rem; }
.answers .pick { margin: .1rem 0 0; font-size: 1.1rem; }
.answers ul { margin-top: .4rem; font-size: .94rem; }
.advice { margin-top: .8rem; }
.quiet { color: var(--soft); font-size: .84em; font-weight: 400; }
.word { color: var(--soft); font-size: .8em; }
.scroll { position: relative; overflow-x: auto; max-width: 100%; }
.scroll:focus-visible, pre:focus-visible, th button:focus-visible { outline: 2px solid var(--mark); outline-offset: 2px; }
table { border-collapse: collapse; font-size: .92rem; line-height: 1.35; }
caption { text-align: left; font-weight: 600; padding: 4px 0 6px; white-space: nowrap; }
th, td { padding: 7px 14px 7px 0; text-align: right; vertical-align: top; border-bottom: 1px solid var(--rule); }
th { font-weight: 600; }
thead th { border-bottom: 1px solid var(--soft); vertical-align: bottom; }
th[scope=row], thead th:first-child, td.left, th[data-words], .words th, .words td { text-align: left; }
.untitled caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
tfoot th, tfoot td { border-top: 1px solid var(--soft); }
a { color: var(--mark); }
tbody th { font-weight: 600; }
.numbers td { white-space: nowrap; padding-left: 14px; }
.numbers td.left { padding-left: 0; }
.copy + .scroll { margin-top: 1.1rem; }
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
.figures.wide { grid-template-columns: 1fr; }
.figures.maps { grid-template-columns: repeat(auto-fill, minmax(min(400px, 100%), 1fr)); }
.figures.maps figure { min-width: 0; }
.wide figure { min-width: 0; }
.wide .picture { overflow-x: auto; }
.wide svg { max-width: none; }
figure { margin: 0; break-inside: avoid; }
figcaption { font-weight: 600; font-size: .92rem; margin-bottom: 4px; overflow-wrap: anywhere; }
svg { display: block; max-width: 100%; height: auto; overflow: visible; }
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
  caption { white-space: normal; }
  .figures.small { justify-items: center; }
  .words th { white-space: normal; }
}
@media print {
  /* Three times: stronger than the rules of the dark colours. */
  :root:root:root { color-scheme: light; --paper: #fff; --ink: #000; --soft: #444; --rule: #bbb; --faint: #eee; --blue: 31 90 148; --warm: 176 84 28; --grey: #888; --tint: .52; }
  .theme, .copy, details:not([open]) { display: none; }
  html { font-size: 11.5px; }
  body { font-size: 1rem; }
  .figures { grid-template-columns: 1fr 1fr; }
  .figures.maps { grid-template-columns: 1fr 1fr; }
  .figures.small { grid-template-columns: 1fr 1fr 1fr; }
  .numbers td, .numbers th { padding-left: 8px; padding-right: 6px; }
  .shade, .bar, .confusion td, pre { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .matrices { display: flex; flex-wrap: wrap; }
  .confusion { font-size: .74rem; }
  .confusion tbody td { min-width: 0; padding: 2px 3px; }
  .scroll, .tall, pre, .wide .picture { overflow: visible; max-height: none; }
  .wide svg { max-width: 100%; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  th button::after { content: ""; }
  tr, figure { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
}
)css";

}  // namespace

std::string style_sheet() {
  return fmt::format(
      "\n:root {{ {0} }}\n@media (prefers-color-scheme: dark) {{ :root:not([data-theme=light]) {{ {1} }} }}\n"
      ":root[data-theme=dark] {{ {1} }}{2}{3}",
      kLight, kDark, kPictures, kPage);
}

// Programs that draw SVG files know no variables of CSS.
std::string picture_style() {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kColours{{{"var(--paper)", "#ffffff"},
                                                                                   {"var(--ink)", "#16191d"},
                                                                                   {"var(--soft)", "#565d66"},
                                                                                   {"var(--rule)", "#d9dde2"},
                                                                                   {"var(--faint)", "#eceff2"},
                                                                                   {"var(--mark)", "#1f5a94"},
                                                                                   {"var(--other)", "#b0541c"},
                                                                                   {"var(--grey)", "#8d959e"}}};
  std::string out = fmt::format("text {{ font-family: sans-serif; }}\n.paper {{ fill: var(--paper); }}{}", kPictures);
  for (const auto& [name, colour] : kColours)
    for (std::size_t at = out.find(name); at != std::string::npos; at = out.find(name, at))
      out = fmt::format("{}{}{}", out.substr(0, at), colour, out.substr(at + name.size()));
  return out;
}

}  // namespace shiftnorm::report
