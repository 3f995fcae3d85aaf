// The disanalogies as experiments: what is forgotten, figures with what they show; and the study at
// hand, if any.

import { LitElement, html, nothing } from "lit";
import * as Plot from "@observablehq/plot";
import { costumes } from "./costumes.js";
import { data } from "./data.js";
import { forgetting } from "./forgetting.js";

class Experiments extends LitElement {
  static properties = { costume: {} };

  createRenderRoot() {
    return this;
  }

  render() {
    return html`
      ${Object.keys(data.forgetting).length
        ? forgetting(data.forgetting, costumes[this.costume])
        : nothing}
      ${data.figures.length
        ? html`<section class="wide" aria-labelledby="experiments">
            <h2 id="experiments">Where they part, measured</h2>
            ${data.figures.map(
              (figure) => html`<figure>
                <img src=${figure.src} alt=${figure.alt} />
                <figcaption>
                  <strong>${figure.title}</strong> ${figure.text}
                  <code>${figure.command}</code>
                </figcaption>
              </figure>`,
            )}
          </section>`
        : nothing}
      ${data.study ? this.study(data.study) : nothing}
    `;
  }

  study({ name, cells }) {
    return html`
      <section class="wide" aria-labelledby="study">
        <h2 id="study">The study ${name}</h2>
        <div class="scroll" role="region" aria-label="Results of ${name}" tabindex="0">
          <table>
            <thead>
              <tr>
                <th scope="col">environment</th>
                <th scope="col">memory</th>
                <th scope="col">way</th>
                <th scope="col">seeds</th>
                <th scope="col">steps</th>
                <th scope="col">result</th>
              </tr>
            </thead>
            <tbody>
              ${cells.map(
                (cell) => html`<tr>
                  <th scope="row">${cell.env}</th>
                  <td>${cell.memory}</td>
                  <td>${cell.regime}</td>
                  <td>${cell.seeds}</td>
                  <td>${cell.steps.toLocaleString("en")}</td>
                  <td>${cell.result}</td>
                </tr>`,
              )}
            </tbody>
          </table>
        </div>
        <div class="curves">${cells.filter((cell) => cell.curve.length > 1).map(curve)}</div>
      </section>
    `;
  }
}

function curve(cell) {
  const chart = Plot.plot({
    width: 260,
    height: 150,
    style: { background: "none", color: "inherit" },
    x: { label: "steps", ticks: 3, tickFormat: "s" },
    y: { label: cell.measure, ticks: 4, nice: true },
    marks: [Plot.lineY(cell.curve, { x: "0", y: "1", z: "2", stroke: "var(--accent)" })],
  });
  chart.setAttribute("aria-hidden", "true");
  return html`<figure>
    ${chart}
    <figcaption>${cell.env}, ${cell.memory}, ${cell.regime}</figcaption>
  </figure>`;
}

customElements.define("popjax-experiments", Experiments);
