// The session has ended while somebody worked: what they sent, or were typing, goes on as a form, which the sign-in page carries.

export function listen() {
  document.addEventListener("htmx:beforeOnLoad", answered);
}

function answered(event) {
  const { xhr, requestConfig } = event.detail;
  if (!xhr.getResponseHeader("HX-Redirect")?.startsWith("/sign-in")) return;
  const form = xhr.getResponseHeader("X-Form-Waits") ? made(requestConfig.path, requestConfig.formData) : unsent();
  if (form === null) return; // to the sign-in page, as the server says
  event.preventDefault();
  document.dispatchEvent(new CustomEvent("concord:refused", { detail: { value: "Your session has ended" } }));
  form.submit();
}

function made(path, values) {
  const form = document.createElement("form");
  Object.assign(form, { method: "post", action: path, hidden: true });
  for (const [name, value] of values) form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  document.body.append(form);
  return form;
}

/** The form in which something is typed that nobody has sent; without a session nothing of it is done. */
function unsent() {
  const fields = [...document.querySelectorAll("main form[method=post] :is(input:not([type]), input[type=text], textarea)")];
  return fields.find((each) => each.value.trim() && each.value !== each.defaultValue && each.form.enctype !== "multipart/form-data")?.form ?? null;
}
