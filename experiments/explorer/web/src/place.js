// Where the visitor is, as the fragment of the address: #lm/RepeatFirstEasy/12

import { data, FAMILIES, LEVELS } from "./data.js";

const first = "RepeatFirstEasy" in data.episodes ? "RepeatFirstEasy" : Object.keys(data.episodes)[0];
const level = LEVELS.find((name) => first.endsWith(name));

export const START = { costume: "rl", family: first.slice(0, -level.length), level, step: 0 };

export function written({ costume, family, level, step }) {
  return `#${costume}/${family}${level}/${step}`;
}

/** What of a fragment can be understood; the rest is as at the start. */
export function read(fragment) {
  const [costume, id = "", step] = fragment.replace(/^#/, "").split("/");
  const place = { ...START };
  if (costume === "rl" || costume === "lm") place.costume = costume;
  const level = LEVELS.find((name) => id.endsWith(name));
  const family = level && id.slice(0, -level.length);
  if (FAMILIES.includes(family) && data.episodes[id]) Object.assign(place, { family, level });
  if (/^\d+$/.test(step ?? "")) place.step = Number(step);
  return place;
}
