// Loaded by every Node below `lanner exec`, of any version: fal's own host names must lead to Lanner, through its proxy.
// A program that looks one up itself is about to go past the proxy (a Node before 24, an HTTP agent of its own): it gets
// an error instead of the hosted platform.
'use strict';
const dns = require('dns');

const domains = (process.env.LANNER_INTERCEPTED_DOMAINS || '').split(',').filter(Boolean);
const isIntercepted = (hostname) => {
  const name = String(hostname).toLowerCase().replace(/\.$/, '');
  return domains.some((domain) => name === domain || name.endsWith('.' + domain));
};
const refusal = (hostname) =>
  Object.assign(
    new Error(
      `lanner exec: this program tried to reach ${hostname} without the proxy that leads to Lanner, and was stopped. ` +
        (Number(process.versions.node.split('.')[0]) >= 24
          ? 'Let its HTTP client follow the environment variable https_proxy.'
          : `It runs on Node ${process.versions.node}, which does not follow proxy variables: use Node 24 or newer.`),
    ),
    { code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname },
  );

const lookup = dns.lookup;
dns.lookup = function guardedLookup(hostname, options, callback) {
  if (!isIntercepted(hostname)) return Reflect.apply(lookup, dns, arguments);
  process.nextTick(typeof options === 'function' ? options : callback, refusal(hostname));
  return {};
};
// util.promisify reads what the original says about itself
for (const symbol of Object.getOwnPropertySymbols(lookup)) {
  Object.defineProperty(dns.lookup, symbol, Object.getOwnPropertyDescriptor(lookup, symbol));
}
const { lookup: lookupPromise } = dns.promises;
dns.promises.lookup = async function guardedLookup(hostname, options) {
  if (isIntercepted(hostname)) throw refusal(hostname);
  return lookupPromise.call(dns.promises, hostname, options);
};
require('module').syncBuiltinESMExports();
