// What `popjax explore` wrote into the page, and how an episode is unpacked.

export const data = JSON.parse(document.getElementById("popjax-data").textContent);

export const LEVELS = ["Easy", "Medium", "Hard"];
export const FAMILIES = Object.keys(data.families);

const unpacked = new Map();

/** The episode of an environment: gzip in base64, decoded once. */
export function episode(id) {
  if (!unpacked.has(id)) unpacked.set(id, unpack(data.episodes[id]));
  return unpacked.get(id);
}

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const recorded = await new Response(stream).json();
  return { ...recorded, steps: recorded.did.length, frames: frames(recorded.scene) };
}

/** Every frame is written as its change to the one before: start, how many to take out, what to
 *  put in. */
function frames(scene) {
  let shapes = [];
  return scene.frames.map(([start, out, ...put]) => {
    shapes = [...shapes.slice(0, start), ...put, ...shapes.slice(start + out)];
    return shapes;
  });
}

export function picture(episode, step) {
  const { open, background, titles, shapes } = episode.scene;
  const title = `<title>${titles[step]}</title>`;
  return open + title + background + episode.frames[step].map((i) => shapes[i]).join("") + "</svg>";
}
