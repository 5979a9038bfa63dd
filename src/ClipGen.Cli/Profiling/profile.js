// Tables sort by the column whose head is clicked; marks with data-hint show it beside the pointer.
for (const head of document.querySelectorAll("th[data-sort]")) {
  head.addEventListener("click", () => {
    const table = head.closest("table"), column = [...head.parentNode.children].indexOf(head);
    const down = !head.classList.contains("down");
    for (const other of head.parentNode.children) other.classList.remove("up", "down");
    head.classList.add(down ? "down" : "up");
    const key = row => {
      const cell = row.children[column], value = cell.dataset.value;
      return value === undefined ? cell.textContent : Number(value);
    };
    const rows = [...table.tBodies[0].rows].sort((a, b) => {
      const x = key(a), y = key(b), order = typeof x === "number" ? x - y : x.localeCompare(y);
      return down ? -order : order;
    });
    table.tBodies[0].append(...rows);
  });
}
const hint = document.getElementById("hint");
document.addEventListener("pointermove", event => {
  const text = event.target.dataset?.hint;
  hint.style.display = text ? "block" : "none";
  if (!text) return;
  hint.textContent = text;
  hint.style.left = Math.min(event.clientX + 14, innerWidth - hint.offsetWidth - 8) + "px";
  hint.style.top = Math.min(event.clientY + 14, innerHeight - hint.offsetHeight - 8) + "px";
});
