// Moving charts, drawn by uPlot. They begin with a minute and grow to five.

import uPlot from './uPlot.esm.js';
import {element, setText} from './dom.js';
import {clock} from './format.js';

const SHOWN_SECONDS = 300;
const SHOWN_SECONDS_MIN = 60;
const HEIGHT = 170;

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** One chart: a title, a legend with the newest values (or those under the pointer), and lines. */
export class Chart {
  /**
   * `lines`: [{label, color: a CSS variable}]. `axis` makes the texts of the axis, and `value` those of the legend.
   */
  constructor(parent, {title, lines, axis, value}) {
    this.lines = lines;
    this.axis = axis;
    this.value = value;
    this.data = [[], ...lines.map(() => [])];
    this.legend = lines.map((line) => element('span', {className: 'value', text: '–'}));
    const legend = element('ul', {className: 'legend', children: lines.map((line, i) => {
      const item = element('li', {children: [element('span', {className: 'swatch'}), `${line.label} `, this.legend[i]]});
      item.style.setProperty('--swatch', `var(${line.color})`);
      return item;
    })});
    this.place = element('div', {className: 'plot', attributes: {'aria-hidden': 'true'}});
    parent.append(element('figure', {className: 'card chart', children: [
      element('figcaption', {children: [element('h3', {text: title}), legend]}), this.place]}));
    this.#draw();
    new ResizeObserver(() => this.plot.setSize({width: this.place.clientWidth, height: HEIGHT})).observe(this.place);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw());
  }

  /** Adds a point at this time (ms). A value of null is a gap in its line. */
  add(ms, values) {
    const seconds = ms / 1000;
    [seconds, ...values].forEach((value, i) => this.data[i].push(value));
    const old = this.data[0].findIndex((at) => at >= seconds - SHOWN_SECONDS);
    if (old > 1) this.data.forEach((column) => column.splice(0, old - 1));
    this.plot.setData(this.data, false);
    const shown = Math.min(Math.max(seconds - this.data[0][0], SHOWN_SECONDS_MIN), SHOWN_SECONDS);
    this.plot.setScale('x', {min: seconds - shown, max: seconds});
    this.#showValues();
  }

  #draw() {
    if (this.plot) this.plot.destroy();
    const grid = {stroke: color('--line'), width: 1};
    const text = {stroke: color('--muted'), font: '12px system-ui, "DejaVu Sans", sans-serif'};
    this.plot = new uPlot({
      width: Math.max(this.place.clientWidth, 100),
      height: HEIGHT,
      legend: {show: false},
      cursor: {y: false, drag: {x: false, y: false}, points: {size: 7}},
      scales: {y: {range: (_, __, max) => [0, niceTop(max)]}},
      series: [{}, ...this.lines.map((line, i) => ({
        label: line.label, stroke: color(line.color), width: 2, points: {show: false}, spanGaps: false,
        fill: i === 0 ? `${color(line.color)}1f` : undefined,
      }))],
      axes: [
        {...text, grid: {show: false}, ticks: {show: false}, space: 80, size: 24,
          values: (plot, splits) => splits.map((at) => (isAtLeftEdge(at, plot.scales.x) ? '' : clock(at * 1000)))},
        {...text, grid, ticks: {show: false}, size: 58, space: 34,
          values: (_, splits) => splits.map((value) => (value === null ? '' : this.axis(value)))},
      ],
      hooks: {setCursor: [() => this.#showValues()]},
    }, this.data, this.place);
  }

  #showValues() {
    const last = this.data[0].length - 1;
    const hovered = this.plot && this.plot.cursor.idx;
    const at = hovered === null || hovered === undefined ? last : hovered;
    this.legend.forEach((node, i) => setText(node, this.value(last < 0 ? null : this.data[i + 1][at])));
  }
}

// A time there would touch the number at the end of the other axis.
function isAtLeftEdge(at, {min, max}) {
  return at - min < (max - min) * 0.1;
}

/** The top of an axis from 0: a round number above the highest value, so that lines do not jump with each point. */
export function niceTop(max) {
  if (!(max > 0)) return 1;
  const size = 10 ** Math.floor(Math.log10(max));
  return size * [1, 1.5, 2, 3, 5, 7.5, 10].find((step) => size * step >= max * 1.05) || size * 15;
}
