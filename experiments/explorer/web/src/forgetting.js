// Forgetting curves: what is still there of a token that came so many steps before, in a pair.

import { html } from "lit";
import * as Plot from "@observablehq/plot";

const LINES = [
  ["agent", "agent", "var(--rl)"],
  ["language_model", "language model", "var(--lm)"],
  ["untrained", "untrained", "var(--muted)"],
];

/** A chart for each environment, its numbers in words below it. */
export function forgetting(curves, words) {
  return html`
    <section class="wide" aria-labelledby="forgetting">
      <h2 id="forgetting">${words.forgetting}</h2>
      <p class="lead">${words.forgotten}</p>
      <ul class="key">
        <li class="agent">agent</li>
        <li class="lm">language model</li>
        <li class="uniform">the same network untrained</li>
        <li class="known">all there is to know</li>
      </ul>
      <div class="curves">${Object.entries(curves).map((entry) => one(...entry, words))}</div>
    </section>
  `;
}

function one(env, curve, words) {
  const points = LINES.flatMap(([key, name]) =>
    curve[key].map((nats, lag) => ({ name, lag, nats: Math.max(0, nats) })),
  );
  const chart = Plot.plot({
    width: 300,
    height: 180,
    marginLeft: 40,
    marginBottom: 38,
    style: { background: "none", color: "inherit", fontSize: "12px", overflow: "visible" },
    x: { label: words.lag, labelOffset: 34, ticks: 5 },
    y: { label: "nats", domain: [0, Math.max(...curve.worth) * 1.08], ticks: 4 },
    color: { domain: LINES.map(([, name]) => name), range: LINES.map(([, , colour]) => colour) },
    marks: [
      Plot.ruleY([0], { stroke: "var(--line)" }),
      Plot.lineY(curve.worth, { x: (_, lag) => lag, y: (nats) => nats, stroke: "var(--law)", strokeDasharray: "2 3" }),
      Plot.lineY(points, { x: "lag", y: "nats", stroke: "name", strokeWidth: 1.5 }),
      Plot.dot(points, { x: "lag", y: "nats", fill: "name", r: 2 }),
    ],
  });
  chart.setAttribute("aria-hidden", "true");
  const { half_life: half, total } = curve;
  const life = (key) => (half[key] === null ? `beyond ${curve.agent.length - 1}` : half[key]);
  return html`<figure data-forgetting=${env}>
    ${chart}
    <figcaption>
      <strong>${env}.</strong> Half of the newest is gone after: agent ${life("agent")}, language
      model ${life("language_model")} steps. Over all lags: ${total.agent.toFixed(1)} and
      ${total.language_model.toFixed(1)} nats, untrained ${total.untrained.toFixed(1)}.
    </figcaption>
  </figure>`;
}
