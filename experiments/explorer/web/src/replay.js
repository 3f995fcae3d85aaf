// An episode step by step: the picture, the controls, the stream, and what each predictor makes of
// every step. Frame t is the moment after t actions; at it the agent chooses action t.

import { LitElement, html, nothing } from "lit";
import { unsafeHTML } from "lit/directives/unsafe-html.js";
import { picture } from "./data.js";
import { costumes } from "./costumes.js";
import { icons } from "./icons.js";
import { policy, next, memory } from "./readings.js";
import { surprise } from "./chart.js";
import "./stream.js";

const SPEEDS = [1, 2, 4, 8, 16]; // steps a second
const TAKES_ARROWS = "input:not([type=checkbox]), select, textarea";

class Replay extends LitElement {
  static properties = {
    episode: {},
    costume: {},
    step: { type: Number },
    playing: { state: true },
    speed: { state: true },
    revealed: { state: true },
  };

  constructor() {
    super();
    this.playing = false;
    this.speed = 2;
    this.revealed = false;
    this.pressed = (event) => this.key(event);
  }

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    addEventListener("keydown", this.pressed);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    removeEventListener("keydown", this.pressed);
    clearTimeout(this.timer);
  }

  key(event) {
    const taken = event.ctrlKey || event.metaKey || event.altKey || event.target.matches?.(TAKES_ARROWS);
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (taken || !by || !this.episode) return;
    event.preventDefault();
    this.pause();
    this.to(this.step + by);
  }

  to(step) {
    const within = Math.max(0, Math.min(step, this.episode.steps));
    this.dispatchEvent(new CustomEvent("step", { detail: within }));
  }

  pause() {
    this.playing = false;
  }

  toggle() {
    if (!this.playing && this.step >= this.episode.steps) this.to(0);
    this.playing = !this.playing;
  }

  updated(changed) {
    if (changed.has("episode") && changed.get("episode")) this.pause();
    clearTimeout(this.timer);
    if (!this.playing) return;
    if (this.step >= this.episode.steps) this.pause();
    else this.timer = setTimeout(() => this.to(this.step + 1), 1000 / this.speed);
  }

  render() {
    const { episode, costume, step } = this;
    if (!episode) return html`<p class="wait" role="status">unpacking the episode …</p>`;
    const words = costumes[costume];
    const panels = [
      policy(episode, step, words),
      next(episode, step, words),
    ];
    if (costume === "lm") panels.reverse();
    return html`
      <div class="replay" data-env=${episode.env}>
        <div class="stage">
          <div class="scene ${this.revealed ? "revealed" : ""}">
            ${unsafeHTML(picture(episode, step))}
          </div>
          ${this.controls()}
          <p class="said" aria-live=${this.playing ? "off" : "polite"}>${said(episode, step, words)}</p>
          <p class="who">${who(episode)}</p>
        </div>
        <div class="panels">${panels}</div>
        <div class="below">
          ${memory(episode, step, words)}
          <h4>${words.stream}</h4>
          <popjax-stream
            .episode=${episode}
            .costume=${costume}
            .step=${step}
            @step=${(event) => (this.pause(), this.to(event.detail))}
          ></popjax-stream>
          ${surprise(episode, step, words)}
        </div>
      </div>
    `;
  }

  controls() {
    const { episode, step, playing } = this;
    return html`
      <div class="controls" role="group" aria-label="Replay">
        <button type="button" aria-label="Back to the start" @click=${() => this.to(0)}>${icons.begin}</button>
        <button type="button" aria-label="One step back" @click=${() => (this.pause(), this.to(step - 1))}>
          ${icons.back}
        </button>
        <button type="button" class="play" aria-label=${playing ? "Pause" : "Play"} @click=${() => this.toggle()}>
          ${playing ? icons.pause : icons.on} ${playing ? "pause" : "play"}
        </button>
        <button type="button" aria-label="One step on" @click=${() => (this.pause(), this.to(step + 1))}>${icons.on}</button>
        <label>
          <span>speed</span>
          <select @change=${(event) => (this.speed = Number(event.target.value))}>
            ${SPEEDS.map(
              (speed) => html`<option value=${speed} ?selected=${speed === this.speed}>${speed}/s</option>`,
            )}
          </select>
        </label>
        <label class="reveal">
          <input type="checkbox" .checked=${this.revealed} @change=${(event) => (this.revealed = event.target.checked)} />
          <span>reveal what is hidden</span>
        </label>
        <input
          class="seek"
          type="range"
          min="0"
          max=${episode.steps}
          .value=${String(step)}
          aria-label="Step"
          aria-valuetext="step ${step} of ${episode.steps}"
          @input=${(event) => (this.pause(), this.to(Number(event.target.value)))}
        />
      </div>
    `;
  }
}

/** The moment in one sentence; screen readers are told it when the replay is not running. */
function said(episode, step, words) {
  const count = `Step ${step} of ${episode.steps}`;
  if (!step) return html`<b>${count}.</b> ${words.seen}: ${episode.seen[0]}.`;
  const reward = episode.reward[step - 1];
  const sign = reward > 0 ? "+" : reward < 0 ? "−" : "";
  return html`<b>${count}.</b> ${words.said}: ${episode.acts[episode.did[step - 1]]}; ${words.seen}:
    ${episode.seen[step]}; reward ${sign}${Math.abs(reward)}.`;
}

function who(episode) {
  const shown =
    episode.length > episode.steps ? html` Shown are the first ${episode.steps} of ${episode.length} steps.` : nothing;
  const { agent, language_model: model, scores } = episode;
  if (!agent)
    return html`No pair of networks was trained at this level: the reference player
      (${episode.player}) plays, and a uniform guess stands where a model would.${shown}`;
  return html`A ${agent.memory.toUpperCase()} of width ${agent.features} plays (PPO,
    ${(agent.steps / 1000).toFixed(0)} thousand steps, mean return ${agent.return.toFixed(3)};
    the reference player earns ${scores.reference}, the best player without memory
    ${scores.memoryless}, chance ${scores.random}).${earned(agent, scores)} Beside it the same network
    as a language model reads the very same episode (${(model.steps / 1000).toFixed(0)} thousand
    tokens, ${model.nats.toFixed(3)} nats a token on new episodes, where the
    ${episode.floor.kind === "exact" ? "floor" : "best law known"} is at
    ${model.floor.toFixed(3)}).${expected(model, episode.token.uniform)}${shown}`;
}

/** What must be said of an agent that was trained for minutes: whether it uses a memory. */
function earned(agent, { reference, memoryless, random }) {
  if (agent.return <= random + 0.1 * Math.max(memoryless - random, 0))
    return html` <strong>It has learned next to nothing.</strong>`;
  if (reference <= memoryless) return nothing; // a memory is worth nothing there
  if (agent.return <= memoryless)
    return html` <strong>It is undertrained: a player without memory does as well or better.</strong>`;
  if (agent.return < memoryless + 0.5 * (reference - memoryless))
    return html` <strong>It is undertrained: less than half of what a memory is worth.</strong>`;
  return nothing;
}

/** And of a model, whether it has come near the floor. */
function expected(model, uniform) {
  return model.nats - model.floor > 0.1 * (uniform - model.floor)
    ? html` <strong>The model is undertrained: over a tenth of the way from the floor to a uniform
        guess is left.</strong>`
    : nothing;
}

customElements.define("popjax-replay", Replay);
