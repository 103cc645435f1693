// Numbers as people read them. What is unknown is an en dash.

const UNKNOWN = '–';

const whole = new Intl.NumberFormat('en', {maximumFractionDigits: 0});
const short = new Intl.NumberFormat('en', {maximumSignificantDigits: 3});

/** 1234567 -> "1,234,567" */
export function count(value) {
  return value === null || value === undefined ? UNKNOWN : whole.format(value);
}

/** 1234567 -> "1.23 M", for axes and narrow places */
export function compact(value) {
  if (value === null || value === undefined) return UNKNOWN;
  for (const [size, unit] of [[1e9, ' G'], [1e6, ' M'], [1e4, ' k']]) {
    if (Math.abs(value) >= size) return short.format(value / (unit === ' k' ? 1e3 : size)) + unit;
  }
  return short.format(value);
}

/** Per second. Small rates keep a digit behind the point. */
export function rate(value) {
  if (value === null || value === undefined) return UNKNOWN;
  return value > 0 && value < 10 ? short.format(Math.round(value * 10) / 10) : whole.format(value);
}

/** Seconds -> "0.8 ms" */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return UNKNOWN;
  if (seconds < 1) return `${short.format(seconds * 1000)} ms`;
  return seconds < 120 ? `${short.format(seconds)} s` : `${whole.format(seconds / 60)} min`;
}

/** Bytes -> "1.2 GiB" */
export function bytes(value) {
  if (value === null || value === undefined) return UNKNOWN;
  for (const [size, unit] of [[2 ** 30, 'GiB'], [2 ** 20, 'MiB'], [2 ** 10, 'KiB']]) {
    if (value >= size) return `${short.format(value / size)} ${unit}`;
  }
  return `${whole.format(value)} B`;
}

/** A part of one -> "12 %" */
export function percent(value) {
  return value === null || value === undefined ? UNKNOWN : `${whole.format(value * 100)} %`;
}

/** 1, "worker" -> "1 worker"; 2 -> "2 workers" */
export function plural(value, word) {
  return `${count(value)} ${word}${value === 1 ? '' : 's'}`;
}

/** Milliseconds since 1970 -> "14:05:09" */
export function clock(ms) {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? UNKNOWN : date.toLocaleTimeString([], {hour12: false});
}
