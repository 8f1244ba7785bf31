/** The report's style sheet: one file with the page, light and dark by the reader's preference, fit to print. */
import { GRID_LINE, INK, MUTED } from './charts.js';

export const styleSheet = `
:root { color-scheme: light dark; --paper: #ffffff; --card: #f6f7f9; --ink: ${INK}; --muted: ${MUTED}; --line: ${GRID_LINE};
  --good: #15803d; --bad: #c2261b; --accent: #2f6fed; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #131518; --card: #1c1f24; --ink: #eceef1; --muted: #a4a9b2; --line: #363b44;
    --good: #4ade80; --bad: #ff8a80; --accent: #7da7ff; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1320px; margin: 0 auto; padding: 24px 20px 64px; }
h1 { font-size: 1.7rem; margin: 0 0 4px; } h2 { font-size: 1.35rem; margin: 48px 0 8px; } h3 { font-size: 1.05rem; margin: 28px 0 8px; }
p { max-width: 78ch; margin: 8px 0; } a { color: var(--accent); }
.muted, figcaption span, th { color: var(--muted); } .muted { font-size: .9rem; }
.verdict { font-size: 1.1rem; font-weight: 600; border-left: 4px solid var(--accent); padding-left: 12px; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }
th, td { padding: 6px 12px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); font-weight: normal; }
th:first-child, td:first-child { text-align: left; padding-left: 0; } tr.shared td { font-weight: 600; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 16px; margin: 20px 0; }
figure { margin: 0; background: var(--card); border-radius: 8px; padding: 14px 16px; break-inside: avoid; }
figcaption { margin-bottom: 8px; } figcaption strong { display: block; } figcaption span { font-size: .86rem; display: block; line-height: 1.35; }
figure.wide { grid-column: 1 / -1; } figure.wide svg { min-width: 860px; }
figure svg { display: block; width: 100%; height: auto; }
svg [fill="${INK}"] { fill: var(--ink); } svg [fill="${MUTED}"] { fill: var(--muted); } svg [stroke="${GRID_LINE}"] { stroke: var(--line); }
.essence { display: flex; flex-wrap: wrap; gap: 16px; list-style: none; padding: 0; max-width: none; }
.essence li { flex: 1 1 260px; background: var(--card); border-radius: 8px; padding: 12px 16px; }
.essence strong { display: block; font-size: 1.5rem; line-height: 1.3; } .essence span { color: var(--muted); font-size: .9rem; }
ul { padding-left: 20px; max-width: 90ch; } ul.checks { list-style: none; padding: 0; } ul.checks li { padding: 2px 0 2px 64px; text-indent: -64px; }
.pass, .fail { display: inline-block; width: 52px; margin-right: 12px; text-indent: 0; text-align: center; border-radius: 4px; font-size: .8rem; font-weight: 700; border: 1px solid; }
.pass { color: var(--good); } .fail { color: var(--bad); }
details { margin: 8px 0; } summary { cursor: pointer; } code { font-family: ui-monospace, monospace; background: var(--card); padding: 1px 5px; border-radius: 4px; }
`.trim();
