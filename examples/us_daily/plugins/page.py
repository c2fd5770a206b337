"""The page around the pictures: one HTML file that needs nothing else, in light and in dark."""

from string import Template

PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>US daily bars, $period</title>
<style>
:root {
  --paper: #faf9f6; --card: #fff; --ink: #1d2430; --soft: #667085; --rule: #e6e3dc; --up: #14866d; --down: #d0453a;
  --s0: #d1495b; --s1: #7a5cc7; --s2: #1f9e89; --s3: #2b6cb0; --s4: #d68c00;
}
@media (prefers-color-scheme: dark) { :root {
  --paper: #12161d; --card: #1a202a; --ink: #e8eaee; --soft: #98a2b3; --rule: #2c3440; --up: #2fbf9b; --down: #f0665a;
  --s0: #f0788a; --s1: #a48be8; --s2: #3cc7b0; --s3: #63a4ec; --s4: #f0b23c;
} }
.s0 { --c: var(--s0) } .s1 { --c: var(--s1) } .s2 { --c: var(--s2) } .s3 { --c: var(--s3) } .s4 { --c: var(--s4) }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif }
main { max-width: 1120px; margin: 0 auto; padding: 44px 24px 28px }
h1 { font-size: 32px; line-height: 1.15; margin: 0 0 6px; letter-spacing: -.02em }
h2 { font-size: 17px; margin: 0 0 2px }
p { margin: 0; color: var(--soft) }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 12px; padding: 20px 24px;
  margin-top: 18px; overflow-x: auto }
footer { margin-top: 22px; color: var(--soft); font-size: 13px }
ul { margin: 10px 0 0; padding-left: 18px } li { margin: 4px 0 }
.facts { display: flex; flex-wrap: wrap; gap: 12px 40px; margin: 26px 0; color: var(--soft) }
.facts b { display: block; font-size: 26px; line-height: 1.2; letter-spacing: -.02em; color: var(--ink) }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 18px 22px;
  margin-top: 12px }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(400px, 100%), 1fr)); gap: 0 18px }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; margin-top: 10px }
th { font-weight: 500; color: var(--soft); font-size: 13px; text-align: right; padding: 4px 8px }
td { text-align: right; padding: 7px 8px; border-top: 1px solid var(--rule); white-space: nowrap }
th:first-child, td:first-child { text-align: left; padding-left: 0 }
.matrix th + th, .matrix td + td { text-align: center }
.matrix td + td { border: 2px solid var(--card); border-radius: 6px;
  background: color-mix(in srgb, var(--s3) calc(var(--share, 0%) * .6), transparent) }
.up { color: var(--up); fill: var(--up) } .down { color: var(--down); fill: var(--down) }
.chip { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 8px; background: var(--c) }
.key { align-self: center; max-width: 260px; margin: 0 auto; text-align: center; font-size: 13px }
.key::before { content: ""; display: block; height: 12px; border-radius: 3px; margin-bottom: 8px;
  background: linear-gradient(90deg, var(--down), var(--card), var(--up)) }
svg { display: block; width: 100%; height: auto; margin-top: 8px }
svg text { font-size: 12px; fill: var(--soft) } .panels svg text { font-size: 11px }
svg text.name { fill: var(--c); font-weight: 600; font-size: 13px }
svg .grid { stroke: var(--rule) } svg .base { stroke: var(--soft); stroke-dasharray: 3 4 }
svg .line, svg .thin { fill: none; stroke: var(--c); stroke-width: 1.8; stroke-linejoin: round }
svg .thin { stroke-width: 1 } svg .area { fill: var(--c); fill-opacity: .22 }
svg .dot { fill: var(--card); stroke: var(--c); stroke-width: 2 } svg .none { fill: var(--rule); opacity: .4 }
</style>
<main>
<h1>US daily bars</h1>
<p>$symbols · $period</p>
<div class="facts">$facts</div>
<section><h2>What one dollar became</h2><p>$growth_note</p>$growth</section>
<section><h2>Below the highest close so far</h2><p>One scale for all, so that depths compare.</p>$falls</section>
<section><h2>Return and risk</h2>$risk</section>
<section><h2>Month by month</h2><p>Return of each month; rest the pointer on a square to read it.</p>
<div class="panels">$months<p class="key">−20% or less, to +20% or more</p></div></section>
<div class="pair">
<section><h2>Moving together</h2><p>Correlation of daily returns on common sessions.</p>$correlation</section>
<section><h2>What the checks found</h2><ul>$findings</ul></section>
</div>
<footer>Prices: Quandl WIKI, public domain, as shipped in the Python package bokeh_sampledata; adjusted for splits and
dividends. Loaded, checked, computed and drawn by qflowd. Not investment advice.</footer>
</main>
</html>
""")
