// SPDX-License-Identifier: Apache-2.0
//! A gate for prime tokens: a request passes if its header `token` is a prime number.
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_http_context(|_, _| -> Box<dyn HttpContext> { Box::new(PrimeAuthorizer) });
}}

struct PrimeAuthorizer;

fn is_prime(n: u64) -> bool {
    n >= 2 && (2..).take_while(|d| d * d <= n).all(|d| n % d != 0)
}

impl Context for PrimeAuthorizer {}

impl HttpContext for PrimeAuthorizer {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let token = self.get_http_request_header("token").and_then(|text| text.parse().ok());
        if token.map_or(false, is_prime) {
            self.resume_http_request();
            return Action::Continue;
        }
        self.send_http_response(403, vec![("Powered-By", "proxy-wasm")], Some(b"Access forbidden.\n"));
        Action::Pause
    }
}
