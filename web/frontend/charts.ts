import uPlot from "uplot";
export const version = typeof uPlot;
