import { Frame } from '../pages/frame';
import { expect, test } from '../support/fixtures';

test('the theme switch takes effect and is remembered', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'light' });
  await page.goto('/');
  const frame = new Frame(page);
  await expect(frame.heading).toHaveText('Runs');
  await expect(frame.theme('System')).toHaveAttribute('aria-pressed', 'true');
  const light = await frame.background();

  // The island wakes when the browser is idle; until then a click does nothing, so it is repeated.
  await expect(async () => {
    await frame.theme('Dark').click();
    await expect(frame.theme('Dark')).toHaveAttribute('aria-pressed', 'true', { timeout: 250 });
  }).toPass();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  const dark = await frame.background();
  expect(dark).not.toBe(light);

  await page.reload();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  expect(await frame.background()).toBe(dark);
  await expect(frame.theme('Dark')).toHaveAttribute('aria-pressed', 'true');
});

test('the rail leads to every section and marks where one is', async ({ page }) => {
  await page.goto('/');
  const frame = new Frame(page);
  for (const [name, path] of [['New plan', '/plans/new'], ['Cookbook', '/cookbook'], ['Hosts', '/hosts'], ['Runs', '/']] as const) {
    await frame.link(name).click();
    await expect(page).toHaveURL(path);
    await expect(frame.heading).toHaveText(name);
    await expect(frame.link(name)).toHaveAttribute('aria-current', 'page');
    await expect(page).toHaveTitle(`${name} · Podium`);
  }
});

test('no page asks anything of another server', async ({ page, baseURL }) => {
  const foreign: string[] = [];
  page.on('request', (request) => {
    if (!request.url().startsWith(baseURL!)) foreign.push(request.url());
  });
  for (const path of ['/', '/plans/new', '/cookbook', '/hosts']) {
    await page.goto(path, { waitUntil: 'networkidle' });
  }
  expect(foreign).toEqual([]);
});

test('an unknown address answers 404 with a page', async ({ request }) => {
  // Asked for without a page: Chromium itself writes a console error for any document with status 404.
  const response = await request.get('/no/such/page');
  expect(response.status()).toBe(404);
  expect(await response.text()).toContain('Page not found');
});

test('a request for another host name is refused', async ({ request }) => {
  const response = await request.get('/', { headers: { host: 'evil.example' } });
  expect(response.status()).toBe(403);
});

test.describe('without JavaScript', () => {
  test.use({ javaScriptEnabled: false });

  test('the pages are complete and the theme switch is not offered', async ({ page }) => {
    await page.goto('/');
    const frame = new Frame(page);
    await expect(frame.heading).toHaveText('Runs');
    await expect(frame.theme('Dark')).toBeHidden();
    await frame.link('Hosts').click();
    await expect(frame.heading).toHaveText('Hosts');
  });
});
