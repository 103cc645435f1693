'use strict';

// Shows an Inspector: the group's place, the latency of the newest deliveries, and the frames.

const CHART_WIDTH = 360;
const CHART_HEIGHT = 84;
const CHART_LABELS = 42;     // the width of the scale's labels
const CHART_MS = [1, 10, 100, 1000, 10000];  // the scale's lines; it is logarithmic

class InspectorView {
  constructor() {
    this._rows = new Map();  // key of a frame -> its element
    this._keepAtEnd = keepAtEnd($('frames-scroll'));
    this._points = svgElement('g', {});
    this._drawScale($('latency'));
    $('latency').append(this._points);
  }

  render(inspector) {
    const {epoch, offset, previous, frames} = inspector;
    setText($('epoch'), epoch === '' ? '–' : epoch.slice(0, 8));
    $('epoch').title = epoch;
    setText($('offset'), offset === null ? '–' : String(offset));
    setText($('previous'), previous === null ? '–' : String(previous));
    setText($('chain'), chainText(inspector));
    $('chain').dataset.tone = inspector.broken > 0 ? 'bad' : inspector.gaps > 0 ? 'warn' : 'good';
    this._renderLatencies(inspector);
    this._renderFrames(frames);
  }

  _renderFrames(frames) {
    const first = frames.length > 0 ? frames[0].key : Infinity;
    for (const [key, row] of this._rows) {
      if (key >= first) break;
      row.remove();
      this._rows.delete(key);
    }
    for (const frame of frames) {
      if (this._rows.has(frame.key)) continue;
      const row = frameRow(frame);
      this._rows.set(frame.key, row);
      $('frames').append(row);
    }
    this._keepAtEnd();
  }

  _drawScale(chart) {
    chart.setAttribute('viewBox', '0 0 ' + CHART_WIDTH + ' ' + CHART_HEIGHT);
    for (const ms of CHART_MS) {
      const y = chartY(ms);
      chart.append(svgElement('line', {x1: CHART_LABELS, x2: CHART_WIDTH, y1: y, y2: y}));
      const label = svgElement('text', {x: CHART_LABELS - 5, y: y + 3, 'text-anchor': 'end'});
      label.textContent = duration(ms);
      chart.append(label);
    }
  }

  _renderLatencies({latencies, medianMs}) {
    const step = (CHART_WIDTH - CHART_LABELS - 8) / (LATENCIES_MAX - 1);
    const right = CHART_WIDTH - 5;
    this._points.replaceChildren(...latencies.map(({ms, isLate}, index) => svgElement('circle', {
      cx: right - step * (latencies.length - 1 - index), cy: chartY(ms), r: 2.6, class: isLate ? 'late' : 'live',
    })));
    const late = latencies.filter(({isLate}) => isLate).length;
    setText($('latency-text'), latencies.length === 0 ? 'Send something to see it' :
        (medianMs === null ? '' : 'median ' + duration(medianMs)) + (late > 0 ? ', ' + late + ' late' : ''));
  }
}

function chainText({offset, chainLength, broken, gaps}) {
  if (offset === null) return 'not in a group';
  const messages = chainLength === 1 ? '1 message' : chainLength + ' messages';
  if (broken > 0) return 'broken ' + broken + ' times in ' + messages;
  return (gaps > 0 ? (gaps === 1 ? '1 gap was told, ' : gaps + ' gaps were told, ') : 'unbroken: ') + messages;
}

function chartY(ms) {
  const [low, high] = [0.2, 20000].map(Math.log10);
  const share = (Math.log10(Math.min(Math.max(ms, 0.2), 20000)) - low) / (high - low);
  return Math.round((CHART_HEIGHT - 4 - share * (CHART_HEIGHT - 8)) * 10) / 10;
}

function duration(ms) {
  if (ms >= 1000) return (ms < 10000 && ms % 1000 !== 0 ? (ms / 1000).toFixed(1) : Math.round(ms / 1000)) + ' s';
  return (ms < 10 && ms % 1 !== 0 ? ms.toFixed(1) : Math.round(ms)) + ' ms';
}

function frameRow({direction, name, place, content, text}) {
  const row = element('li', 'frame ' + (direction || 'line') + ' ' + name.replace(/[^a-z_]+/g, '-'));
  const arrow = element('span', 'arrow', {in: '↓', out: '↑'}[direction] || '•');
  arrow.setAttribute('aria-hidden', 'true');
  const label = {in: 'received', out: 'sent'}[direction];
  if (label) row.append(element('span', 'hidden-label', label + ' '));
  const code = element('code', '', content);
  code.dir = 'ltr';
  row.append(arrow, element('span', 'name', name), element('span', 'place', place), code);
  row.title = text;
  return row;
}
