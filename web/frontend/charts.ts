// Draws a chart over each figure from the table in it: the table is the data, so chart and table always agree.
import uPlot from "uplot";

const HEIGHT = 200;
const pad = (n: number): string => String(n).padStart(2, "0");

/** An interval in which events may be missing, in seconds, and what is known of it. */
interface Gap {
  from: number;
  until: number;
  words: string;
  title: string;
}

interface Data {
  names: string[];
  /** Seconds since the epoch, and one row of counts a series. */
  at: number[];
  counts: number[][];
  gaps: Gap[];
}

function read(table: HTMLTableElement): Data {
  const names = [...(table.tHead?.rows[0]?.querySelectorAll("th.number") ?? [])].map((cell) => cell.textContent ?? "");
  const rows = [...(table.tBodies[0]?.rows ?? [])].reverse(); // the table begins with the newest
  const at = rows.map((row) => Date.parse(row.querySelector("time")?.dateTime ?? "") / 1000);
  const counts = names.map((_, series) => rows.map((row) => Number(row.cells[series + 1]?.textContent ?? 0)));
  return { names, at, counts, gaps: gaps(table) };
}

/** Each gap once, although it stands in the row of every minute that it touches. */
function gaps(table: HTMLTableElement): Gap[] {
  const found = new Map<string, Gap>();
  for (const told of table.querySelectorAll<HTMLElement>("[data-gap]")) {
    const [from, until] = [...told.querySelectorAll("time")].map((time) => Date.parse(time.dateTime) / 1000);
    const words = told.textContent ?? "";
    if (from !== undefined && until !== undefined) found.set(`${from} ${until} ${words}`, { from, until, words, title: told.title });
  }
  return [...found.values()];
}

/** Each series on top of those before it, the highest first: the lower ones are drawn over it. */
function stacked(data: Data): uPlot.AlignedData {
  const tops: number[][] = [];
  for (const counts of data.counts) {
    const below = tops.at(-1);
    tops.push(counts.map((count, i) => count + (below?.[i] ?? 0)));
  }
  return [data.at, ...tops.reverse()];
}

class Chart {
  readonly #figure: HTMLElement;
  readonly #plot: HTMLElement;
  #data: Data;
  #drawn: uPlot | undefined;

  constructor(figure: HTMLElement, plot: HTMLElement, table: HTMLTableElement) {
    this.#figure = figure;
    this.#plot = plot;
    this.#data = read(table);
    plot.tabIndex = 0;
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", "Chart. Left and right arrows read it minute by minute.");
    plot.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#drawn?.setSize({ width: plot.clientWidth, height: HEIGHT })).observe(plot);
    this.draw();
  }

  refresh(): void {
    const table = document.getElementById(this.#figure.dataset.chart ?? "");
    if (!(table instanceof HTMLTableElement)) return;
    this.#data = read(table);
    this.#drawn?.setData(stacked(this.#data));
  }

  /** Anew, because colours are drawn into the canvas: at the start and when the theme changes. */
  draw(): void {
    this.#drawn?.destroy();
    this.#drawn = new uPlot(this.#options(), stacked(this.#data), this.#plot);
  }

  #options(): uPlot.Options {
    const ink = (name: string): string => getComputedStyle(this.#figure).getPropertyValue(name).trim();
    const axis = { stroke: ink("--quiet"), font: "12px system-ui, sans-serif", ticks: { show: false } };
    const step = (this.#data.at[1] ?? 60) - (this.#data.at[0] ?? 0);
    const bars = uPlot.paths.bars?.({ size: [0.9, 32], align: 1 });
    return {
      width: this.#plot.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      padding: [8, 16, 0, 0],
      // A bar stands to the right of its time, so the nearest time may be that of the next bar.
      cursor: { dataIdx: (_, __, nearest, x) => Math.max(0, x < (this.#data.at[nearest] ?? 0) ? nearest - 1 : nearest), y: false, drag: { x: false, y: false }, points: { show: false } },
      scales: {
        x: { time: true, range: (_, min, max) => [min, max + step] },
        y: { range: (_, __, max) => [0, ticks(max).at(-1) ?? 0] },
      },
      axes: [
        { ...axis, grid: { show: false }, size: 28, values: (_, splits) => splits.map(clock), space: 64 },
        { ...axis, grid: { stroke: ink("--line"), width: 1 }, size: 40, splits: (_, __, ___, max) => ticks(max) },
      ],
      series: [
        {},
        ...this.#data.names
          .map((_, series) => ({ fill: this.#fill(series), stroke: ink("--canvas"), width: 1, points: { show: false }, ...(bars && { paths: bars }) }))
          .reverse(),
      ],
      hooks: {
        setCursor: [(plot) => this.#tell(plot.cursor.idx)],
        draw: [(plot) => this.#hatch(plot, ink("--canvas")), (plot) => this.#band(plot)],
      },
    };
  }

  /** Elements over the canvas, so that each can be pointed at and tells its sentence. */
  #band(plot: uPlot): void {
    const { min = 0, max = 0 } = plot.scales.x ?? {};
    const bands = this.#data.gaps.map((gap) => {
      const [from, until] = [gap.from, gap.until].map((at) => plot.valToPos(Math.min(max, Math.max(min, at)), "x")) as [number, number];
      const band = document.createElement("div");
      band.className = "gap-band";
      band.title = `${gap.words.trim()} UTC. ${gap.title}`;
      band.style.left = `${from}px`;
      band.style.width = `${until - from}px`;
      return band;
    });
    plot.over.querySelectorAll(".gap-band").forEach((band) => band.remove());
    plot.over.append(...bands);
  }

  #fill(series: number): string {
    const entry = this.#figure.querySelectorAll("[data-series]")[series];
    return entry ? getComputedStyle(entry).getPropertyValue("--fill").trim() : "currentColor";
  }

  /** The last minute is still running: stripes say that its bar is not whole. */
  #hatch(plot: uPlot, paper: string): void {
    const last = this.#data.at.at(-1);
    if (last === undefined) return;
    const left = plot.valToPos(last, "x", true);
    const { top, height, left: edge, width } = plot.bbox;
    const { ctx } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, edge + width - left, height);
    ctx.clip();
    ctx.strokeStyle = paper;
    ctx.lineWidth = 2 * devicePixelRatio;
    for (let y = top - width; y < top + height; y += 6 * devicePixelRatio) {
      ctx.beginPath();
      ctx.moveTo(left, y + (edge + width - left));
      ctx.lineTo(edge + width, y);
      ctx.stroke();
    }
    ctx.restore();
  }

  #key(event: KeyboardEvent): void {
    const move = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    const plot = this.#drawn;
    if (move === undefined || !plot) return;
    event.preventDefault();
    const end = this.#data.at.length - 1;
    const index = Math.min(end, Math.max(0, (plot.cursor.idx ?? end) + move));
    plot.setCursor({ left: plot.valToPos(this.#data.at[index] ?? 0, "x"), top: 0 });
    this.#tell(index);
  }

  #tell(index: number | null | undefined): void {
    const reading = this.#figure.querySelector("[data-reading]");
    if (!reading) return;
    if (index === null || index === undefined) return void (reading.textContent = "");
    const parts = this.#data.names.map((name, series) => `${this.#data.counts[series]?.[index] ?? 0} ${name}`);
    const begin = this.#data.at[index] ?? 0;
    const unseen = this.#data.gaps.some((gap) => gap.from < begin + 60 && gap.until >= begin) ? "; events may be missing" : "";
    reading.textContent = `${clock(begin)} UTC: ${parts.join(", ")}${unseen}`;
  }
}

/** From nothing to a round number that no bar rises above, in five steps at most. */
function ticks(max: number | null): number[] {
  const highest = Math.max(4, max ?? 0);
  const size = 10 ** Math.floor(Math.log10(highest / 5));
  const step = Math.max(1, [1, 2, 5, 10].map((part) => part * size).find((each) => each * 5 >= highest) ?? highest);
  return Array.from({ length: Math.ceil(highest / step) + 1 }, (_, number) => number * step);
}

function clock(seconds: number): string {
  const at = new Date(seconds * 1000);
  return `${pad(at.getUTCHours())}:${pad(at.getUTCMinutes())}`;
}

const charts: Chart[] = [];
for (const figure of document.querySelectorAll<HTMLElement>("figure[data-chart]")) {
  const plot = figure.querySelector<HTMLElement>("[data-plot]");
  const table = document.getElementById(figure.dataset.chart ?? "");
  if (plot && table instanceof HTMLTableElement) charts.push(new Chart(figure, plot, table));
}
document.addEventListener("flower:refreshed", () => charts.forEach((chart) => chart.refresh()));
document.addEventListener("flower:theme", () => charts.forEach((chart) => chart.draw()));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.forEach((chart) => chart.draw()));
