// How scores and units are written, the same rule as leaderboard/score_text.py: four decimals
// first, then those of the unit, a half away from zero.

const SCORE_DECIMALS = { percent: 1, dB: 1 };
const UNIT_SUFFIXES = { percent: " (%)", 1: "" };

function scoreText(value, unit, decimals = SCORE_DECIMALS[unit] ?? 3) {
  const step = 10 ** (4 - decimals);
  const whole = Math.floor((Math.round(Math.abs(value) * 1e4) + step / 2) / step);
  return `${value < 0 && whole > 0 ? "−" : ""}${(whole / 10 ** decimals).toFixed(decimals)}`;
}

function unitSuffix(unit) {
  return UNIT_SUFFIXES[unit] ?? ` (${unit})`;
}
