// The page's half of the talk with the server.

let token = "";

export function remember(given) {
  token = given;
}

/** Ask the server; refusals come back as errors whose message is one sentence for the visitor. */
export async function ask(path, document = {}) {
  return answer(await post(path, JSON.stringify(document)));
}

/** Send a file. */
export async function send(path, file) {
  return answer(await post(path, file));
}

function post(path, body) {
  return fetch(`/room/${path}`, { method: "POST", headers: { "x-room-token": token }, body });
}

async function answer(response) {
  if (!response.ok) throw new Error("The server did not answer; load the page again");
  const told = await response.json();
  if (!told.ok) throw new Error(told.problem);
  return told;
}

/** Samples of a response or clip as an AudioBuffer of the context's rate. */
export async function buffer(context, path) {
  const response = await fetch(`/room/${path}`);
  if (!response.ok) throw new Error(await response.text());
  return context.decodeAudioData(await response.arrayBuffer());
}

export const responsePath = (key, of, rate) => `response/${token}/${encodeURIComponent(key)}/${of}/${rate}.wav`;
export const dryPath = (name, rate) => `dry/${token}/${name}/${rate}.wav`;
export const filePath = (key, name) => `/room/file/${token}/${encodeURIComponent(key)}/${name}`;

/** Say once a minute that this page is still there. */
export function stayAlive() {
  setInterval(() => ask("alive").catch(() => {}), 60000);
}
