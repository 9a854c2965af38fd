// Stems: a dry clip through the room and through each network, all of one length and one timeline.

import { integratedLoudness } from "./loudness.js";

/** Longest dry clip of a visitor's own, seconds. */
export const LONGEST_CLIP_S = 30;
const TAIL_DB = -80;
/** Low anchor of ITU-R BS.1534: low-pass at 3.5 kHz. */
const ANCHOR_HZ = 3500;
const ANCHOR_STOP_HZ = 4000;

/** A clip through a response, computed offline: sample 0 of the response falls on sample 0 of the clip. */
export async function convolve(clip, response, length) {
  const channels = Math.max(clip.numberOfChannels, Math.min(2, response.numberOfChannels));
  const offline = new OfflineAudioContext(channels, length, clip.sampleRate);
  // As many channels as the clip has, also when it is over: else the tail would be mixed down half way.
  const width = { channelCount: clip.numberOfChannels, channelCountMode: "explicit" };
  const convolver = new ConvolverNode(offline, { buffer: response, disableNormalization: true, ...width });
  const source = new AudioBufferSourceNode(offline, { buffer: clip });
  source.connect(convolver).connect(offline.destination);
  source.start();
  return offline.startRendering();
}

/** A buffer of at most two channels, cut or padded to `length`. */
export function fitted(buffer, length, channels = Math.min(2, buffer.numberOfChannels)) {
  const out = new AudioBuffer({ numberOfChannels: channels, length, sampleRate: buffer.sampleRate });
  for (let c = 0; c < channels; ++c) {
    const from = buffer.getChannelData(Math.min(c, buffer.numberOfChannels - 1));
    out.copyToChannel(from.subarray(0, Math.min(length, from.length)), c);
  }
  return out;
}

/** Samples until which a response is worth hearing. */
export function audible(buffer) {
  let peak = 0;
  for (let c = 0; c < buffer.numberOfChannels; ++c)
    for (const x of buffer.getChannelData(c)) peak = Math.max(peak, Math.abs(x));
  const floor = peak * 10 ** (TAIL_DB / 20);
  let last = 0;
  for (let c = 0; c < buffer.numberOfChannels; ++c) {
    const samples = buffer.getChannelData(c);
    let n = samples.length - 1;
    while (n > last && Math.abs(samples[n]) < floor) --n;
    last = Math.max(last, n);
  }
  return last + 1;
}

/** Linear-phase low-pass of the anchor: within 0.1 dB to 3.5 kHz, 60 dB down from 4 kHz (Kaiser window). */
export function anchorFilter(sampleRate) {
  const attenuation = 60;
  const beta = 0.1102 * (attenuation - 8.7);
  const width = (2 * Math.PI * (ANCHOR_STOP_HZ - ANCHOR_HZ)) / sampleRate;
  const half = Math.ceil((attenuation - 7.95) / (2.285 * width) / 2);
  const cutoff = (ANCHOR_HZ + ANCHOR_STOP_HZ) / sampleRate;
  const taps = new Float32Array(2 * half + 1);
  for (let n = -half; n <= half; ++n) {
    const ideal = n === 0 ? cutoff : Math.sin(Math.PI * cutoff * n) / (Math.PI * n);
    taps[n + half] = (ideal * bessel0(beta * Math.sqrt(1 - (n / half) ** 2))) / bessel0(beta);
  }
  return taps;
}

function bessel0(x) {
  let sum = 1, term = 1;
  for (let k = 1; term > 1e-12 * sum; ++k) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/** A stem through the anchor's filter, not a sample later than it was. */
export async function anchorOf(buffer) {
  const taps = anchorFilter(buffer.sampleRate);
  const half = (taps.length - 1) / 2;
  const response = new AudioBuffer({ length: taps.length, sampleRate: buffer.sampleRate });
  response.copyToChannel(taps, 0);
  const late = await convolve(buffer, response, buffer.length + half);
  const out = new AudioBuffer({ numberOfChannels: late.numberOfChannels, length: buffer.length, sampleRate: buffer.sampleRate });
  for (let c = 0; c < late.numberOfChannels; ++c) out.copyToChannel(late.getChannelData(c).subarray(half), c);
  return out;
}

export function measured(buffer) {
  const channels = Array.from({ length: buffer.numberOfChannels }, (_, c) => buffer.getChannelData(c));
  let peak = 0;
  for (const samples of channels) for (const x of samples) peak = Math.max(peak, Math.abs(x));
  return { loudness: integratedLoudness(channels, buffer.sampleRate), peak };
}

/**
 * Playback gains: stems are never touched.
 *
 * Matched, all are as loud as the softest; unmatched, the room is as loud as the dry clip and every network as far from
 * the room as it is. Either way no stem goes beyond full scale.
 */
export function playbackGains(stems, matched) {
  const heard = stems.filter((stem) => Number.isFinite(stem.loudness));
  const dry = heard.find((stem) => stem.key === "dry");
  const reference = heard.find((stem) => stem.key === "room") ?? heard.find((stem) => stem.key !== "dry");
  const softest = dry?.loudness ?? reference?.loudness ?? 0;
  const together = dry && reference ? dry.loudness - reference.loudness : 0;
  const gains = new Map(
    stems.map((stem) => {
      if (!Number.isFinite(stem.loudness)) return [stem.key, 1];
      const db = matched ? softest - stem.loudness : stem.key === "dry" ? 0 : together;
      return [stem.key, 10 ** (db / 20)];
    }),
  );
  const peak = Math.max(...stems.map((stem) => gains.get(stem.key) * stem.peak), 1e-9);
  const trim = Math.min(1, 0.94 / peak);
  for (const [key, gain] of gains) gains.set(key, gain * trim);
  return gains;
}
