;; SPDX-License-Identifier: Apache-2.0
;; What the host makes for a guest that imports it: a memory, which is not exported either, and a
;; table. Of its two versions of the ABI the first one counts. A request is logged by a function of
;; the table, from behind where the memory ended at first.
(module
  (type $say (func (param i32)))
  (import "env" "memory" (memory 1 20))
  (import "any" "functions" (table 2 10 funcref))
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (data (i32.const 16) "imported")
  (elem (i32.const 1) $say_it)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_abi_version_0_1_0"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (func $say_it (param i32)
    (memory.copy (local.get 0) (i32.const 16) (i32.const 8))
    (drop (call $log (i32.const 2) (local.get 0) (i32.const 8))))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (memory.grow (i32.const 1)))
    (call_indirect (type $say) (i32.const 70000) (i32.const 1))
    (i32.const 0)))
