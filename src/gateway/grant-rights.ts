import type { Rights } from '../access/rights.js';
import { sameRights } from '../access/rules.js';
import type { Router } from '../router/router.js';
import type { Subscriber } from '../router/subscriber.js';

/** A session has these rights from now on, where its peer is now; its subscriptions may have been made with others. */
export function grantRights(
  session: Subscriber & { rights: Rights | undefined },
  rights: Rights | undefined,
  router: Router,
): void {
  // As nearly always: then nothing that the router knows has to be found out anew.
  if (sameRights(session.rights, rights)) return;
  session.rights = rights;
  if (router.subscriptionCount(session) > 0) router.forgetRights(session);
}
