// SPDX-License-Identifier: Apache-2.0
// A gate for prime tokens: a request passes if its header `token` is a prime number.
export * from "@solo-io/proxy-runtime/proxy"; // what the proxy calls
import {
  Context, FilterHeadersStatusValues, GrpcStatusValues, HeaderPair, RootContext,
  registerRootContext, send_local_response, stream_context,
} from "@solo-io/proxy-runtime";

// Digits of a number of 64 bits; 0, which is no prime, for anything else.
function parse(text: string): u64 {
  let n: u64 = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = <u64>(text.charCodeAt(i) - 48);
    if (digit > 9 || n > (u64.MAX_VALUE - digit) / 10) return 0;
    n = n * 10 + digit;
  }
  return n;
}

function isPrime(n: u64): bool {
  if (n < 4) return n > 1;
  if (n % 2 == 0) return false;
  for (let d: u64 = 3; d <= n / d; d += 2) {
    if (n % d == 0) return false;
  }
  return true;
}

class PrimeRoot extends RootContext {
  createContext(id: u32): Context {
    return new PrimeAuthorizer(id, this);
  }

  // What it stands for reads the configuration, and traps in every proxy where there is none: that of
  // 0.1.8 gives the host the size where the place for it is wanted.
  onConfigure(size: u32): bool {
    return true;
  }
}

class PrimeAuthorizer extends Context {
  constructor(id: u32, root: PrimeRoot) {
    super(id, root);
  }

  onRequestHeaders(count: u32, end: bool): FilterHeadersStatusValues {
    if (isPrime(parse(stream_context.headers.request.get("token")))) {
      return FilterHeadersStatusValues.Continue;
    }
    const header = new HeaderPair(String.UTF8.encode("powered-by"), String.UTF8.encode("proxy-wasm"));
    send_local_response(403, "not_a_prime", String.UTF8.encode("Access forbidden.\n"), [header],
                        <GrpcStatusValues>-1);
    return FilterHeadersStatusValues.StopIteration;
  }
}

// The name is the root_id of the configuration.
registerRootContext((id: u32) => new PrimeRoot(id), "prime_authorizer");
