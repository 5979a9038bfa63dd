// The choice under the pointer: what else it could have been, and what its position attended to.
const data = JSON.parse(document.getElementById("data").textContent);
const bytes = Uint8Array.from(atob(data.attention), c => c.charCodeAt(0)), T = data.choices.length;
const choose = document.querySelectorAll("#choices i"), seen = document.querySelectorAll("#attention i");
const colour = share => {
  const place = Math.min(Math.max(share, 0), 1) * (data.scale.length - 1), low = Math.min(Math.floor(place), data.scale.length - 2), part = place - low;
  return `rgb(${data.scale[low].map((from, i) => Math.round(from + (data.scale[low + 1][i] - from) * part)).join(",")})`;
};
function show(t) {
  const choice = data.choices[t], row = Math.floor(t / data.side) + 1, column = t % data.side + 1;
  document.getElementById("choice").textContent =
    `row ${row}, column ${column}: code ${choice.code} was drawn, probability ${(choice.p * 100).toFixed(1)} %, rank ${choice.rank}\nentropy ${choice.bits.toFixed(2)} bits\nmost likely: ` +
    choice.likely.map(([code, p]) => `${code} (${(p * 100).toFixed(1)} %)`).join(", ");
  let most = 0;
  for (let i = 1; i <= t; i++) most = Math.max(most, bytes[t * T + i]);
  seen.forEach((cell, i) => cell.style.background = i < t ? colour(most ? bytes[t * T + i + 1] / most : 0) : "var(--code)");
  document.getElementById("text-share").textContent = `${(data.text[t] * 100).toFixed(1)} % on the text, the rest on the codes written before`;
  for (const cells of [choose, seen]) cells.forEach((cell, i) => cell.classList.toggle("here", i === t));
}
for (const cells of [choose, seen]) cells.forEach((cell, i) => cell.addEventListener("pointerenter", () => show(i)));
show(data.first);
