import { HostsPage } from '../pages/hosts-page';
import { expect, test } from '../support/fixtures';
import { Sshd } from '../support/sshd';

test.use({ javaScriptEnabled: false });

/** Chromium writes a line for any document that is not 200; nothing else may be there. */
function onlyRefused(problems: string[]): void {
  expect(problems.filter((problem) => !/status of 4\d\d/.test(problem))).toEqual([]);
  problems.length = 0;
}

test('what is wrong with a host is said at its field, and what was written is kept', async ({ page, problems }) => {
  const hosts = new HostsPage(page);
  await hosts.open();
  await hosts.unfoldAdding();
  await hosts.adding.getByLabel('Name').fill('gpu1');
  const destination = hosts.adding.getByLabel('SSH destination');
  await destination.fill('-oProxyCommand=x');
  await hosts.adding.getByLabel('Working folder').fill('models');
  await hosts.adding.getByLabel('Variable 1').fill('HF_TOKEN=secret');
  await hosts.add();

  await expect(hosts.refusal).toContainText('Nothing was saved');
  await expect(destination).toHaveAttribute('aria-invalid', 'true');
  await expect(destination).toHaveAccessibleDescription(/no SSH destination/);
  await expect(hosts.adding.getByLabel('Working folder')).toHaveAccessibleDescription(/no absolute path/);
  await expect(hosts.adding).toContainText('HF_TOKEN looks like a secret');
  await expect(hosts.adding.getByLabel('Name')).toHaveValue('gpu1');
  await expect(hosts.adding.getByLabel('Name')).not.toHaveAttribute('aria-invalid');
  await expect(hosts.host('gpu1')).toHaveCount(0);
  onlyRefused(problems);

  // The same by the keyboard alone: Enter sends the form again.
  await destination.fill('this-host-does-not-exist.invalid');
  await hosts.adding.getByLabel('Working folder').fill('');
  await hosts.adding.getByLabel('Variable 1').fill('');
  await hosts.adding.getByLabel('Name').press('Enter');
  await expect(page).toHaveURL(/\/hosts$/);
  await expect(hosts.host('gpu1')).toContainText('is not reached by SSH');
  await expect(hosts.host('gpu1')).toContainText('Mend it until');

  await hosts.unfoldAdding();
  await hosts.adding.getByLabel('Name').fill('gpu1');
  await hosts.add();
  await expect(hosts.refusal).toContainText('there is a host `gpu1` already');
  onlyRefused(problems);

  await hosts.unfoldSettings('gpu1');
  await hosts.host('gpu1').getByRole('button', { name: 'Remove gpu1' }).click();
  await expect(hosts.host('gpu1')).toHaveCount(0);
});

test('a host is added, looked at, changed and removed', async ({ page }) => {
  test.skip(!Sshd.available(), 'needs an SSH server: apt-get install openssh-server');
  const sshd = await Sshd.start();
  try {
    const hosts = new HostsPage(page);
    await hosts.open();
    await hosts.unfoldAdding();
    await hosts.adding.getByLabel('Name').fill('near');
    await hosts.adding.getByLabel('SSH destination').fill('far');
    await hosts.adding.getByLabel('SSH configuration file').fill(sshd.sshConfig);
    await hosts.add();
    await expect(hosts.host('near')).toContainText('Processor');

    await hosts.unfoldSettings('near');
    await hosts.host('near').getByLabel('Name').fill('nearer');
    await hosts.host('near').getByLabel('Load comes from').selectOption('controller');
    await hosts.host('near').getByRole('button', { name: 'Save and look at it' }).click();
    await expect(hosts.host('nearer')).toContainText('Processor');
    await expect(hosts.host('nearer').getByLabel('Load comes from')).toHaveValue('controller');

    await hosts.host('nearer').getByRole('button', { name: 'Look again at nearer' }).click();
    await expect(hosts.host('nearer')).toContainText('Processor');
    await hosts.unfoldSettings('nearer');
    await hosts.host('nearer').getByRole('button', { name: 'Remove nearer' }).click();
    await expect(hosts.host('nearer')).toHaveCount(0);
  } finally {
    await sshd.stop();
  }
});
