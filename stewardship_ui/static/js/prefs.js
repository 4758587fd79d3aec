// Theme and density at once, without losing the place; the same forms work as plain posts.
export function listen() {
  for (const form of document.querySelectorAll("form[data-prefs]")) form.addEventListener("submit", save);
}

async function save(event) {
  const { name, value } = event.submitter ?? {};
  if (!name) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(event.target));
  body.set(name, value);
  const answer = await fetch(event.target.action, { method: "POST", body, headers: { "HX-Request": "true" } });
  if (answer.ok) document.documentElement.dataset[name] = value;
  else event.target.submit();
}
