import { PlanEditor } from '../pages/plan-editor';
import { expect, test as base } from '../support/fixtures';
import { plan } from '../support/plans';
import { Podium } from '../support/podium';

/** A server that demands accounts, with its owner's first link. */
const test = base.extend<object, { guarded: Podium }>({
  guarded: [
    async ({}, use) => {
      const podium = await Podium.start(['--accounts']);
      await use(podium);
      await podium.stop();
    },
    { scope: 'worker' },
  ],
  baseURL: async ({ guarded }, use) => use(guarded.url),
});

const PASSWORD = 'a long enough password';

test.describe.configure({ mode: 'serial' });

test.describe('without JavaScript', () => {
  test.use({ javaScriptEnabled: false });

  test('the owner is set up, adds a viewer, and a viewer starts nothing', async ({ page, guarded, browser, problems }) => {
    await page.goto('/plans/new');
    await expect(page).toHaveURL('/login?next=/plans/new');
    await expect(page.getByRole('navigation', { name: 'Main' })).toHaveCount(0);

    await page.goto(await guarded.setUpLink());
    await page.getByLabel('Name').fill('ada');
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.getByLabel('The same again').fill(PASSWORD);
    await page.getByRole('button', { name: 'Save and sign in' }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Runs');

    await page.getByRole('link', { name: 'People' }).click();
    await page.getByLabel('Name').fill('grace');
    await page.getByRole('button', { name: 'Add, and make an invitation' }).click();
    const invitation = await page.locator('#new-invitation').innerText();
    expect(invitation).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/invite\/[0-9a-f]{64}$/);

    const context = await browser.newContext({ javaScriptEnabled: false, baseURL: guarded.url });
    const viewer = await context.newPage();
    await viewer.goto(invitation);
    await viewer.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await viewer.getByLabel('The same again').fill(PASSWORD);
    await viewer.getByRole('button', { name: 'Save and sign in' }).click();
    await expect(viewer.getByRole('link', { name: 'People' })).toHaveCount(0);
    await viewer.goto('/plans/new');
    const editor = new PlanEditor(viewer);
    await editor.yaml.fill(plan('flow-check'));
    const refused = viewer.waitForResponse((response) => response.request().method() === 'POST');
    await editor.start.click();
    expect((await refused).status()).toBe(403);

    // Out, and in again by name and password, to the page that was asked for.
    await viewer.goto('/account');
    await viewer.getByRole('button', { name: 'Sign out' }).click();
    await viewer.goto('/hosts');
    await viewer.getByLabel('Name').fill('grace');
    await viewer.getByLabel('Password').fill(PASSWORD);
    await viewer.getByRole('button', { name: 'Sign in' }).click();
    await expect(viewer).toHaveURL('/hosts');
    await context.close();

    await page.getByRole('link', { name: 'Audit log' }).click();
    await expect(page.getByRole('cell', { name: 'person.add' })).toBeVisible();
    expect(problems).toEqual([]);
  });

  test('a wrong password is told with no more than that', async ({ page, problems }) => {
    await page.goto('/login');
    await page.getByLabel('Name').fill('ada');
    await page.getByLabel('Password').fill('not the password');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('alert')).toContainText('name and password do not fit');
    await expect(page.getByLabel('Name')).toHaveValue('ada');
    // Chromium writes a line for any document that is not 200, and nothing else complained.
    expect(problems).toHaveLength(1);
    problems.length = 0;
  });
});

test('the page of the API sends what its forms say', async ({ page }) => {
  await page.goto('/login?next=/api');
  await page.getByLabel('Name').fill('ada');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('API');

  const operation = page.locator('[data-operation="POST /api/v1/plans/validate"]');
  await operation.locator('summary').click();
  await operation.getByLabel('Body').fill(JSON.stringify({ yaml: plan('five-mistakes') }));
  await operation.getByRole('button', { name: 'Send' }).click();
  await expect(operation.getByRole('status')).toContainText('200');
  const answer = JSON.parse(await operation.locator('pre[aria-label="Answer"]').innerText());
  expect(answer.ok).toBe(false);
  expect(answer.problems).toHaveLength(5);
});
