/**
 * Code at the beginning of the service worker, for a notification at the end of a training. On phones, only a service worker may show
 * notifications. It also handles a tap on one, even after the tab has been closed.
 */
export const WITH_NOTIFICATIONS = `{
  self.addEventListener('message', (event) => {
    const { notify } = event.data ?? {};
    // Only the worker knows by what id it finds the tab again.
    if (notify !== undefined) event.waitUntil(self.registration.showNotification(notify.title, { ...notify.options, data: event.source.id }));
  });
  self.addEventListener('notificationclick', (event) => {
    event.notification.close();
    event.waitUntil((async () => {
      const tabs = await self.clients.matchAll({ type: 'window', includeUncontrolled: true });
      const tab = tabs.find(({ id }) => id === event.notification.data) ?? tabs[0];
      await (tab === undefined ? self.clients.openWindow(self.registration.scope) : tab.focus());
    })());
  });
}
`;
