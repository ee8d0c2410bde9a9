// Sends each form of the page to its operation and shows the answer. Values are text: nothing of them becomes markup.
for (const form of document.querySelectorAll('.api-form')) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    let path = form.dataset.path;
    const query = new URLSearchParams();
    for (const field of form.querySelectorAll('input[data-in]')) {
      if (field.dataset.in === 'path') path = path.replace('{' + field.name + '}', encodeURIComponent(field.value));
      else if (field.value !== '') query.set(field.name, field.value);
    }
    const body = form.querySelector('textarea');
    const options = { method: form.dataset.method, headers: { accept: 'application/json' } };
    if (body) {
      options.headers['content-type'] = 'application/json';
      options.body = body.value;
    }
    const status = form.querySelector('[role="status"]');
    const shown = form.querySelector('pre');
    status.textContent = 'Waiting for the answer';
    try {
      const answer = await fetch(query.size ? path + '?' + query : path, options);
      const text = await answer.text();
      status.textContent = answer.status + ' ' + answer.statusText;
      let pretty = text;
      try {
        pretty = JSON.stringify(JSON.parse(text), null, 2);
      } catch {
        // Not every answer is JSON: it is shown as it is.
      }
      shown.textContent = pretty;
      shown.hidden = text === '';
    } catch (error) {
      status.textContent = 'No answer: ' + error.message;
    }
  });
}
