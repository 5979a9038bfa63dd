// A row's button opens or closes the rows inside it.
const rows = [...document.querySelectorAll("#modules tbody tr")], depth = row => Number(row.dataset.depth);
document.getElementById("modules").addEventListener("click", event => {
  const button = event.target.closest("button");
  if (!button) return;
  const row = button.closest("tr"), open = button.textContent === "▸";
  button.textContent = open ? "▾" : "▸";
  for (let i = rows.indexOf(row) + 1; i < rows.length && depth(rows[i]) > depth(row); i++) {
    if (open ? depth(rows[i]) === depth(row) + 1 : true) rows[i].classList.toggle("closed", !open);
    if (!open) {
      const inner = rows[i].querySelector("button:not([disabled])");
      if (inner) inner.textContent = "▸";
    }
  }
});
