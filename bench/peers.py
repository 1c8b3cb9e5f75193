# SPDX-License-Identifier: Apache-2.0
"""The proxies under test: one class each, which turns a Variant into configuration files and argv.

Every proxy listens on 127.0.0.1:PROXY_PORT, plainly or with TLS, for HTTP/1.1 or HTTP/2, and forwards
to the origin over kept-alive HTTP/1.1.
They are set up lean: no access log (but for the scenario that has one), no spooling to disk, no
added headers but their defaults. Ours and Envoy get the same bootstrap and do what Envoy does by
default: x-request-id, the header contract, statistics.
"""
import os
import resource
import shutil
import subprocess
from dataclasses import dataclass

PROXY_PORT = int(os.environ.get("BENCH_PORT", "21080"))
ORIGIN_PORT = PROXY_PORT + 1
HERE = os.path.dirname(os.path.abspath(__file__))
PROJECT = os.path.dirname(HERE)
WORK = os.environ.get("BENCH_WORK", "/tmp/nuncio-bench")
MAX_CONNECTIONS = min(25000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 2 - 20)


@dataclass(frozen=True)
class Variant:
    """What a scenario asks of a configuration."""
    workers: int = 1
    auth: str = ""      # "gate": `token` must be a prime; "map": `token` must be "allowed"
    wasm: str = ""      # the gate is this module, where a proxy can run one
    hosts: int = 0      # virtual hosts h0.test ..; 0: one that takes all
    paths: int = 0      # prefix routes /p0/ ..
    log: bool = False
    tls: str = ""       # the key of the certificate: "ecdsa" or "rsa"; "": no TLS
    h2: bool = False    # clients speak HTTP/2: chosen by ALPN with TLS, else known beforehand
    one_process: bool = False   # for valgrind


KEYS = {"ecdsa": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["rsa:2048"]}


def certificate(kind):
    """The files of a self-signed certificate and its key, and the file of both."""
    crt, key, both = (f"{WORK}/{kind}.{end}" for end in ("crt", "key", "pem"))
    if not os.path.exists(both):
        subprocess.run(["openssl", "req", "-x509", "-nodes", "-days", "3650", "-subj",
                        "/CN=bench.test", "-newkey", *KEYS[kind], "-out", crt, "-keyout", key],
                       check=True, capture_output=True)
        with open(crt) as first, open(key) as second:
            write(WORK, f"{kind}.pem", first.read() + second.read())
    return crt, key, both


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w") as f:
        f.write(text)
    return path


class Peer:
    name = ""
    binary = ""
    note = ""       # for the report
    cannot = ()     # beginnings of the names of scenarios that it cannot run
    counts_instructions = True

    @property
    def path(self):
        return shutil.which(self.binary)

    def argv(self, folder, variant):
        raise NotImplementedError

    def version(self):
        """The arguments that make it print its version."""
        return ["-v"]


PRIME_LUA = """local function prime(s)
  local n = tonumber(s)
  if not n or n < 2 or n ~= math.floor(n) then return false end
  if n % 2 == 0 then return n == 2 end
  local i = 3
  while i * i <= n do
    if n % i == 0 then return false end
    i = i + 2
  end
  return true
end
"""


class Nginx(Peer):
    name, binary = "nginx", "/usr/sbin/nginx"
    note = "gate: trial division in LuaJIT"

    def argv(self, folder, variant):
        deny = {
            "": "",
            "map": "if ($deny) { return 403; }",
            "gate": "access_by_lua_block { if not prime(ngx.var.http_token) then"
                    " return ngx.exit(403) end }",
        }[variant.auth]
        lua = modules = ""
        if variant.auth == "gate":
            lua = f"init_by_lua_block {{ {PRIME_LUA.replace('local function', 'function')} }}"
            modules = "".join(f"load_module /usr/lib/nginx/modules/{module}.so;\n"
                              for module in ("ndk_http_module", "ngx_http_lua_module"))
        forward = "proxy_pass http://origin;"
        alone = not variant.hosts and not variant.paths
        locations = "".join(f"location /p{i}/ {{ {forward} }}\n" for i in range(variant.paths))
        locations += f"location / {{ {deny} {forward if alone else 'return 404;'} }}"
        listen, certificates = f"listen 127.0.0.1:{PROXY_PORT}", ""
        servers = "".join(f"server {{ {listen}; server_name h{i}.test; "
                          f"location / {{ {forward} }} }}\n" for i in range(variant.hosts))
        if variant.tls:
            crt, key, _ = certificate(variant.tls)
            certificates = (f"ssl_certificate {crt}; ssl_certificate_key {key}; "
                            "ssl_protocols TLSv1.2 TLSv1.3;")
        extra = (" ssl" if variant.tls else "") + (" http2" if variant.h2 else "")
        temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n"
                            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return [self.path, "-p", folder, "-e", f"{folder}/error.log", "-c",
                write(folder, "nginx.conf", f"""{modules}daemon off;
{'master_process off;' if variant.one_process else ''}
worker_processes {variant.workers};
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 20000; }}
http {{
  access_log {f'{folder}/access.log combined' if variant.log else 'off'};
  {temporary}
  server_names_hash_max_size 65536;
  keepalive_requests 1000000000;
  keepalive_timeout 300s;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_request_buffering off;
  proxy_max_temp_file_size 0;
  client_max_body_size 0;
  {lua}
  map $http_token $deny {{ default 1; allowed 0; }}
  upstream origin {{
    server 127.0.0.1:{ORIGIN_PORT};
    keepalive 1024;
    keepalive_requests 1000000000;
    keepalive_timeout 300s;
  }}
  server {{ {listen}{extra} backlog=4096; server_name _; {certificates} {locations} }}
  {servers}
}}
""")]


class Haproxy(Peer):
    name, binary = "haproxy", "/usr/sbin/haproxy"
    note = "gate: trial division in Lua"

    def argv(self, folder, variant):
        rule = {
            "": "",
            "map": "http-request deny deny_status 403 unless { req.hdr(token) -m str allowed }",
            "gate": "http-request deny deny_status 403 unless"
                    " { req.hdr(token),lua.prime -m bool }",
        }[variant.auth]
        lua = ""
        if variant.auth == "gate":
            lua = "lua-load " + write(folder, "prime.lua", PRIME_LUA + """
core.register_converters("prime", function(s) return prime(s) end)
""")
        use = "default_backend origin"
        if variant.hosts:
            table = write(folder, "hosts.map",
                          "".join(f"h{i}.test origin\n" for i in range(variant.hosts)))
            use = f"use_backend %[req.hdr(host),lower,map_str({table},none)]"
        if variant.paths:
            table = write(folder, "paths.map",
                          "".join(f"/p{i}/ origin\n" for i in range(variant.paths)))
            use = f"use_backend %[path,map_beg({table},none)]"
        bind = ""
        if variant.tls:
            alpn = "h2,http/1.1" if variant.h2 else "http/1.1"
            bind = f"ssl crt {certificate(variant.tls)[2]} alpn {alpn}"
        return [self.path, "-db", "-f", write(folder, "haproxy.cfg", f"""global
  nbthread {variant.workers}
  maxconn {MAX_CONNECTIONS}
  {lua}
  {'log stdout format raw local0' if variant.log else ''}
defaults
  mode http
  {'log global' if variant.log else ''}
  {'option httplog' if variant.log else ''}
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  timeout http-keep-alive 300s
  http-reuse always
frontend all
  bind 127.0.0.1:{PROXY_PORT} backlog 4096 {bind}
  {rule}
  {use}
backend origin
  server s 127.0.0.1:{ORIGIN_PORT} pool-max-conn -1 pool-purge-delay 300s
backend none
  http-request deny deny_status 404
""")]


class H2o(Peer):
    name, binary = "h2o", "/usr/bin/h2o"
    note = "gate: trial division in mruby"

    def argv(self, folder, variant):
        handler = {
            "": "",
            "map": 'env["HTTP_TOKEN"] == "allowed"',
            "gate": 'prime(env["HTTP_TOKEN"])',
        }[variant.auth]
        if handler:
            handler = f"""        mruby.handler: |
          def prime(s)
            n = s.to_i
            return false if n < 2
            return n == 2 if n % 2 == 0
            i = 3
            while i * i <= n
              return false if n % i == 0
              i += 2
            end
            true
          end
          Proc.new {{|env| {handler} ? [399, {{}}, []] : [403, {{}}, ["denied\\n"]] }}
"""
        forward = f"proxy.reverse.url: http://127.0.0.1:{ORIGIN_PORT}/"
        hosts = "".join(f'  "h{i}.test:{PROXY_PORT}": {{paths: {{"/": {{{forward}}}}}}}\n'
                        for i in range(variant.hosts))
        paths = "".join(f'      "/p{i}/": {{{forward}p{i}/}}\n' for i in range(variant.paths))
        if not variant.hosts and not variant.paths:
            paths = f'      "/":\n{handler}        {forward}\n'
        elif not variant.paths:
            paths = '      "/": {file.dir: /nonexistent}\n'
        ssl = ""
        if variant.tls:
            crt, key, _ = certificate(variant.tls)
            ssl = f", ssl: {{certificate-file: {crt}, key-file: {key}}}"
        return [self.path, "-m", "worker", "-c", write(folder, "h2o.yaml", f"""
num-threads: {variant.workers}
max-connections: {MAX_CONNECTIONS}
user: root
http1-request-timeout: 300
proxy.timeout.keepalive: 300000
proxy.preserve-host: ON
{f'access-log: {folder}/access.log' if variant.log else ''}
listen: {{host: 127.0.0.1, port: {PROXY_PORT}{ssl}}}
hosts:
{hosts}  "default":
    paths:
{paths}""")]


class Nghttpx(Peer):
    name, binary = "nghttpx", "/usr/sbin/nghttpx"
    cannot = ("gate", "map", "tls-full", "tls-resumed", "newconn")   # no mruby in Debian's build

    def argv(self, folder, variant):
        patterns = [f"h{i}.test/" for i in range(variant.hosts)]
        patterns += [f"/p{i}/" for i in range(variant.paths)]
        backends = "".join(f"backend=127.0.0.1,{ORIGIN_PORT};{pattern};proto=http/1.1\n"
                           for pattern in patterns)
        tls, files = ";no-tls", ""
        if variant.tls:
            crt, key, _ = certificate(variant.tls)
            tls, files = "", f"private-key-file={key}\ncertificate-file={crt}\n"
        return [self.path, "--conf=" + write(folder, "nghttpx.conf", f"""
frontend=127.0.0.1,{PROXY_PORT}{tls}
{files}workers={variant.workers}
{'single-process=yes' if variant.one_process else ''}
backend=127.0.0.1,{1 if patterns else ORIGIN_PORT};/;proto=http/1.1
{backends}{f'accesslog-file={folder}/access.log' if variant.log else ''}
errorlog-file={folder}/error.log
pid-file={folder}/pid
backlog=4096
frontend-keep-alive-timeout=300s
backend-keep-alive-timeout=300s
backend-connections-per-host=1024
""")]


def indent(spaces, text):
    return "".join(" " * spaces + line + "\n" for line in text.splitlines())


class Envoy(Peer):
    name, binary = "envoy", os.environ.get("ENVOY", "envoy")
    note = "Envoy's defaults; gate: trial division in LuaJIT"
    options = ["--disable-hot-restart", "-l", "off"]
    counts_instructions = False     # it does not start under valgrind within minutes

    def version(self):
        return ["--version"]

    def gate(self):
        """The HTTP filter of the gate scenarios."""
        script = PRIME_LUA + """function envoy_on_request(h)
  if not prime(h:headers():get("token")) then h:respond({[":status"] = "403"}, "denied") end
end
"""
        return """- name: envoy.filters.http.lua
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
    default_source_code:
      inline_string: |
""" + indent(8, script)

    def plugin(self, module):
        """The filter of such a gate, as the article has it."""
        return f"""- name: envoy.filters.http.wasm
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
    config:
      name: prime_auth
      root_id: prime_auth
      vm_config:
        vm_id: vm.sentinel.prime_auth
        runtime: envoy.wasm.runtime.v8
        code: {{local: {{filename: {module}}}}}
"""

    def virtual_hosts(self, variant):
        action = "route: {cluster: origin, timeout: 0s}"
        hosts = "".join(f'- {{name: h{i}, domains: ["h{i}.test"], '
                        f'routes: [{{match: {{prefix: "/"}}, {action}}}]}}\n'
                        for i in range(variant.hosts))
        if hosts:
            return hosts
        routes = "".join(f'  - {{match: {{prefix: "/p{i}/"}}, {action}}}\n'
                         for i in range(variant.paths))
        if variant.auth == "map":
            routes = ('  - {match: {prefix: "/", headers: [{name: token, '
                      f'string_match: {{exact: allowed}}}}]}}, {action}}}\n'
                      '  - {match: {prefix: "/"}, direct_response: {status: 403}}\n')
        elif not routes:
            routes = f'  - {{match: {{prefix: "/"}}, {action}}}\n'
        return '- name: all\n  domains: ["*"]\n  routes:\n' + routes

    def transport_socket(self, variant):
        if not variant.tls:
            return ""
        crt, key, _ = certificate(variant.tls)
        context = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
        return f"""transport_socket:
  name: envoy.transport_sockets.tls
  typed_config:
    "@type": type.googleapis.com/{context}
    common_tls_context:
      alpn_protocols: [{'h2, ' if variant.h2 else ''}http/1.1]
      tls_certificates:
      - {{certificate_chain: {{filename: {crt}}}, private_key: {{filename: {key}}}}}
"""

    def bootstrap(self, folder, variant):
        log = f"""access_log:
- name: envoy.access_loggers.file
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
    path: {folder}/access.log
""" if variant.log else ""
        gate = self.gate() if variant.auth == "gate" else ""
        if variant.wasm:
            gate = self.plugin(variant.wasm)
        http = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
        return f"""static_resources:
  listeners:
  - name: http
    address: {{socket_address: {{address: 127.0.0.1, port_value: {PROXY_PORT}}}}}
    tcp_backlog_size: 4096
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/{http}
          stat_prefix: http
{indent(10, log)}          http_filters:
{indent(10, gate)}          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
          route_config:
            name: all
            virtual_hosts:
{indent(12, self.virtual_hosts(variant))}{indent(6, self.transport_socket(variant))}  clusters:
  - name: origin
    type: STATIC
    connect_timeout: 5s
    circuit_breakers:
      thresholds:
      - {{max_connections: 100000, max_pending_requests: 100000, max_requests: 100000}}
    load_assignment:
      cluster_name: origin
      endpoints:
      - lb_endpoints:
        - endpoint:
            address: {{socket_address: {{address: 127.0.0.1, port_value: {ORIGIN_PORT}}}}}
"""

    def argv(self, folder, variant):
        config = write(folder, "envoy.yaml", self.bootstrap(folder, variant))
        return [self.path, "-c", config, "--concurrency", str(variant.workers), *self.options]


class Nuncio(Envoy):
    name = "nuncio"
    binary = os.environ.get("NUNCIO", os.path.join(PROJECT, "build", "nuncio"))
    note = "Envoy's defaults; gate: prime_authz"
    options = []
    counts_instructions = True

    def gate(self):
        return """- name: nuncio.filters.http.prime_authz
  typed_config:
    "@type": type.googleapis.com/nuncio.filters.http.prime_authz.v1.PrimeAuthz
"""


class Floor(Peer):
    """No proxy at all: what moving the bytes alone costs."""
    name, binary = "floor", os.path.join(WORK, "relay")
    note = "moves bytes, knows no HTTP"
    cannot = ("gate", "map", "hosts", "paths", "log", "tls", "h2")

    def version(self):
        return []

    def argv(self, folder, variant):
        return [self.path, str(PROXY_PORT), str(ORIGIN_PORT)]


PEERS = {peer.name: peer
         for peer in (Floor(), Nuncio(), Nginx(), Haproxy(), H2o(), Nghttpx(), Envoy())}
