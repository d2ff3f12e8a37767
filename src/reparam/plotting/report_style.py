"""The look of the report: one style sheet for a light screen, a dark screen, a phone and paper.

Text on its background has a contrast of 4.5 or more, lines and marks of 3 or more (WCAG 2.2, level AA).
"""

LIGHT = """
  color-scheme: light;
  --page: #ffffff; --ink: #333333; --strong: #16181c; --muted: #5f6570; --faint: #c8c8c8; --rule: #dfe1e5;
  --blue: #2f7fc8; --orange: #d9730d; --purple: #832db6; --red: #bd1f01;
  --note: #fdf3e4; --note-edge: #c96a00; --code: #f4f5f7;
"""
DARK = """
  color-scheme: dark;
  --page: #15171b; --ink: #d5d8dd; --strong: #f3f4f6; --muted: #a0a6b0; --faint: #50555e; --rule: #2e3239;
  --blue: #4a95dc; --orange: #e8852a; --purple: #b681e0; --red: #ee5f47;
  --note: #2b2216; --note-edge: #e8962f; --code: #1f2227;
"""
CSS = f"""
:root {{{LIGHT}}}
@media screen and (prefers-color-scheme: dark) {{ :root {{{DARK}}} }}
* {{ box-sizing: border-box }}
html {{ -webkit-text-size-adjust: 100% }}
body {{
  margin: 0 auto; padding: 4rem 2rem 5rem; max-width: 78rem; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
}}
h1, h2, h3 {{ color: var(--strong); line-height: 1.2; font-weight: 650; text-wrap: balance }}
h1 {{ font-size: 2rem; margin: .25rem 0 1.25rem; letter-spacing: -.015em; overflow-wrap: anywhere }}
h2 {{ font-size: 1.3rem; margin: 0 0 1.5rem; letter-spacing: -.005em }}
.kind {{ margin: 0; color: var(--muted); font-size: .9rem }}
.summary {{ max-width: 46rem; margin: 0; font-size: 1.15rem; line-height: 1.6; text-wrap: pretty }}
section {{ margin-top: 3.5rem; padding-top: 1.75rem; border-top: 1px solid var(--rule) }}

.warnings {{
  max-width: 46rem; margin-top: 2rem; padding: 1rem 1.25rem; background: var(--note);
  border-left: 4px solid var(--note-edge); border-radius: 4px;
}}
.warnings h2 {{ font-size: 1rem; margin: 0 }}
.warnings ul {{ margin: .4rem 0 0; padding: 0; list-style: none }}
.warnings li + li {{ margin-top: .5rem }}
.warnings li::first-letter {{ text-transform: uppercase }}

.pair {{ display: grid; grid-template-columns: minmax(0, 20.5rem) minmax(0, 1fr); gap: 2rem 3rem }}
.pair + .pair, .pair + figure, figure + .pair, .pair + .gallery, .gallery + .pair {{ margin-top: 3rem }}
.pair > * {{ align-self: start; min-width: 0 }}
.beside > * + * {{ margin-top: 2.25rem }}
.gallery {{ display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 2.5rem 3rem }}
.gallery > figure {{ align-self: start }}
.gallery > figure:first-child:nth-last-child(3) {{ grid-row: span 2 }}

figure {{ margin: 0; width: min(100%, var(--width)) }}
.wide > div, .rows {{ overflow-x: auto }}
svg {{ display: block; width: 100%; height: auto }}
figcaption, caption {{
  color: var(--muted); font-size: .875rem; line-height: 1.45; text-align: left; text-wrap: pretty;
}}
figcaption {{ margin-top: .6rem; max-width: 44rem }}
caption {{ caption-side: top; padding-bottom: .5rem }}

table {{
  width: 100%; border-collapse: collapse; font-size: .9rem; line-height: 1.4;
  border-top: 1.5px solid var(--ink); border-bottom: 1.5px solid var(--ink);
}}
th, td {{ padding: .32rem 1rem .32rem 0; text-align: left; vertical-align: baseline }}
th:last-child, td:last-child {{ padding-right: 0 }}
thead th {{ border-bottom: 1px solid var(--ink); color: var(--strong); font-weight: 600 }}
tbody tr + tr > * {{ border-top: 1px solid var(--rule) }}
tbody th {{ font-weight: 400; overflow-wrap: break-word }}
.number {{ text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }}
.unit {{ color: var(--muted); white-space: nowrap }}
.rows td, .rows th {{ white-space: nowrap; padding-right: 1.75rem }}
.parts {{ max-width: 60rem }}
.parts th {{ width: 11rem; color: var(--muted) }}
code {{
  font: .85rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace;
  overflow-wrap: anywhere;
}}
:focus-visible {{ outline: 2px solid var(--blue); outline-offset: 3px }}

@media screen and (max-width: 60rem) {{
  body {{ padding: 2rem 1.1rem 3rem }}
  h1 {{ font-size: 1.55rem }}
  .summary {{ font-size: 1.05rem }}
  .pair {{ grid-template-columns: minmax(0, 1fr) }}
  .gallery {{ grid-template-columns: minmax(0, 1fr) }}
  .beside > figure:first-child {{ margin-top: .25rem }}
  section {{ margin-top: 2.5rem }}
  .wide svg {{ min-width: calc(.8 * var(--width)) }}
}}
@page {{ size: A4; margin: 16mm }}
@media print {{
  html {{ font-size: 9.5pt }}
  body {{ padding: 0; max-width: none; font-size: 1rem; line-height: 1.45 }}
  h1 {{ font-size: 1.8rem; margin-bottom: .8rem }}
  h2 {{ margin-bottom: .8rem; break-after: avoid }}
  .summary {{ max-width: none }}
  .warnings {{ max-width: none; print-color-adjust: exact; -webkit-print-color-adjust: exact }}
  section {{ margin-top: 1.8rem; padding-top: 1.1rem }}
  .pair {{ display: block }}
  .pair > * + * {{ margin-top: 1.5rem }}
  .pair + .pair, .pair + figure, figure + .pair, .pair + .gallery, .gallery + .pair {{ margin-top: 1.8rem }}
  .tables {{ display: flex; gap: 2rem; align-items: flex-start }}
  .tables > table {{ flex: 0 1 32rem }}
  .tables > * + * {{ margin-top: 0 }}
  .gallery {{ gap: 1.5rem 2rem }}
  .beside > figure {{ width: min(100%, .8 * var(--width)) }}
  .beside > .wide {{ width: 100% }}
  .rows {{ overflow: visible }}
  .rows table {{ font-size: .75rem }}
  .rows td, .rows th {{ padding-right: .6rem }}
  figure, table, tr, .warnings li {{ break-inside: avoid }}
  svg {{ max-height: 225mm }}
}}
"""
