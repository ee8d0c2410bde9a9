import { type Locator, type Page } from '@playwright/test';

/** The hosts, and the forms that add, change and remove them. */
export class HostsPage {
  readonly refusal: Locator;
  /** The part of the page that adds a host. */
  readonly adding: Locator;

  constructor(readonly page: Page) {
    this.refusal = page.getByRole('alert');
    this.adding = page.locator('section.host').filter({ has: page.getByText('Add a host', { exact: true }) });
  }

  async open(): Promise<void> {
    await this.page.goto('/hosts');
  }

  /** What is known of one host. */
  host(name: string): Locator {
    const heading = this.page.getByRole('heading', { level: 2, name, exact: true });
    return this.page.locator('section.host').filter({ has: heading });
  }

  async unfoldAdding(): Promise<void> {
    await this.adding.getByText('Add a host', { exact: true }).click();
  }

  async unfoldSettings(name: string): Promise<void> {
    await this.host(name).getByText('Settings: reached as').click();
  }

  add(): Promise<void> {
    return this.adding.getByRole('button', { name: 'Add and look at it' }).click();
  }
}
