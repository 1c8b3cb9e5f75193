// SPDX-License-Identifier: Apache-2.0
//
// The engine on V8, out of Debian's libnode: the module nuncio-wasm-v8.so. It uses what V8 10.2 (Node
// 18) and later versions have in common, and no JavaScript source: host functions are native
// functions, and an instance is what the constructor WebAssembly.Instance makes of a module and a
// plain object.
//
// An instance has an isolate of its own. Code is compiled once and shared. V8 without its trap handler
// checks bounds in the code itself: no signal handler is installed, and no address space set aside.
//
// A host function that fails must end the guest whatever it does. A guest could catch an exception of
// a host function, so the exception comes with a request to terminate, and until the outermost call
// has returned every host function of the instance refuses to run.
#include "wasm/engine.h"

#include <libplatform/libplatform.h>
#include <pthread.h>
#include <v8.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#define V8_S_(number) #number
#define V8_S(number) V8_S_(number)

namespace {

constexpr size_t kStackReserve = 128 * 1024; // below the limit, for host functions and V8
constexpr size_t kHeapBytes = size_t{64} * 1024 * 1024; // V8's own objects, of one instance
constexpr char kVersion[] = V8_S(V8_MAJOR_VERSION) "." V8_S(V8_MINOR_VERSION) ".";
constexpr unsigned kCallsToPump = 256; // between looks at V8's own tasks

v8::Platform *platform;

v8::Local<v8::String> make_string(v8::Isolate *isolate, const char *text)
{
    return v8::String::NewFromUtf8(isolate, text).ToLocalChecked();
}

// A value as one line of text.
std::string text_of(v8::Isolate *isolate, v8::Local<v8::Value> value)
{
    v8::String::Utf8Value text(isolate, value);
    std::string line = *text ? std::string(*text, static_cast<size_t>(text.length())) : "";
    std::replace(line.begin(), line.end(), '\n', ' ');
    return line;
}

void put_error(char *error, size_t size, const std::string &text)
{
    snprintf(error, size, "%s", text.c_str());
}

} // namespace

struct nu_wasm_code {
    std::atomic<unsigned> references{1};
    v8::CompiledWasmModule module;

    explicit nu_wasm_code(const v8::CompiledWasmModule &compiled) : module(compiled)
    {
    }
};

struct nu_wasm_function {
    v8::Global<v8::Function> function;
    const char *type;
    size_t arg_count;
    char result; // 0: none
};

namespace {

// What a host function's callback is given.
struct Binding {
    nu_wasm_instance *instance;
    const nu_wasm_import *import;
};

} // namespace

struct nu_wasm_instance {
    nu_wasm_code *code = nullptr;
    std::unique_ptr<v8::ArrayBuffer::Allocator> allocator;
    v8::Isolate *isolate = nullptr;
    v8::Global<v8::Context> context;
    v8::Global<v8::Object> exports;
    v8::Global<v8::WasmMemoryObject> memory;
    v8::Global<v8::ArrayBuffer> buffer; // the memory's, until it grows, and where it is
    uint8_t *base = nullptr;
    size_t size = 0;
    bool is_memory_known = false; // no code of the guest has run since it was asked for
    void *host = nullptr;
    void (*refuse)(void *, const nu_wasm_import *, nu_wasm_value *) = nullptr;
    std::deque<Binding> bindings;
    std::deque<nu_wasm_function> functions;
    unsigned depth = 0; // calls that are running
    unsigned calls = 0; // outermost ones, since V8's tasks were looked at
    bool ended_by_us =
        false; // a host function failed, or V8's heap is full: the call is at its end
    std::string message;
    std::vector<std::string> frames;
    nu_wasm_trap trap = {};
};

namespace {

// --- Failures ------------------------------------------------------------------------------------

// A function's name without the "$" that V8 puts before it.
std::string name_of(v8::Isolate *isolate, v8::Local<v8::String> name)
{
    std::string text = name.IsEmpty() ? "" : text_of(isolate, name);
    size_t skip = text.rfind('$', 0) == 0 ? 1 : 0;
    return text.size() > skip ? text.substr(skip) : "(no name)";
}

void take_frames(nu_wasm_instance *self, v8::Local<v8::StackTrace> trace)
{
    self->frames.clear();
    int count = trace.IsEmpty() ? 0 : std::min<int>(trace->GetFrameCount(), NU_WASM_FRAMES_MAX);
    for (int i = 0; i < count; i++) {
        v8::Local<v8::StackFrame> frame = trace->GetFrame(self->isolate, static_cast<uint32_t>(i));
        self->frames.push_back(name_of(self->isolate, frame->GetFunctionName()));
    }
}

void set_trap(nu_wasm_instance *self, const std::string &message, v8::Local<v8::StackTrace> trace)
{
    self->message = message;
    take_frames(self, trace);
}

// Ends the call that runs, for a reason of our own.
void end_call(nu_wasm_instance *self, const std::string &message)
{
    set_trap(self, message, v8::StackTrace::CurrentStackTrace(self->isolate, NU_WASM_FRAMES_MAX));
    self->ended_by_us = true;
    self->isolate->TerminateExecution();
}

size_t on_near_heap_limit(void *data, size_t current, size_t)
{
    auto *self = static_cast<nu_wasm_instance *>(data);
    self->message = "out of memory for the engine's own objects";
    self->frames.clear();
    self->ended_by_us = true;
    self->isolate->TerminateExecution();
    return current * 2; // until the call has ended
}

const nu_wasm_trap *get_trap(const nu_wasm_instance *instance)
{
    auto *self = const_cast<nu_wasm_instance *>(instance);
    self->trap.message = self->message.c_str();
    self->trap.frame_count = self->frames.size();
    for (size_t i = 0; i < self->frames.size(); i++)
        self->trap.frames[i] = self->frames[i].c_str();
    return &self->trap;
}

// --- Values --------------------------------------------------------------------------------------

v8::Local<v8::Value> to_js(v8::Isolate *isolate, char type, const nu_wasm_value &value)
{
    switch (type) {
    case 'i':
        return v8::Integer::New(isolate, value.i32);
    case 'l':
        return v8::BigInt::New(isolate, value.i64);
    case 'f':
        return v8::Number::New(isolate, static_cast<double>(value.f32));
    default:
        return v8::Number::New(isolate, value.f64);
    }
}

// Values that come from wasm have the type that they should have.
nu_wasm_value from_js(char type, v8::Local<v8::Value> js)
{
    nu_wasm_value value = {};
    switch (type) {
    case 'i':
        value.i32 = js.As<v8::Int32>()->Value();
        break;
    case 'l':
        value.i64 = js.As<v8::BigInt>()->Int64Value();
        break;
    case 'f':
        value.f32 = static_cast<float>(js.As<v8::Number>()->Value());
        break;
    default:
        value.f64 = js.As<v8::Number>()->Value();
        break;
    }
    return value;
}

// --- Host functions ------------------------------------------------------------------------------

void give_result(const v8::FunctionCallbackInfo<v8::Value> &info, char type,
                 const nu_wasm_value &result)
{
    if (type == 'i')
        info.GetReturnValue().Set(result.i32);
    else if (type)
        info.GetReturnValue().Set(to_js(info.GetIsolate(), type, result));
}

void on_import(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    auto *binding = static_cast<Binding *>(info.Data().As<v8::External>()->Value());
    nu_wasm_instance *self = binding->instance;
    const char *type = binding->import->type;
    nu_wasm_value args[NU_WASM_ARGS_MAX];
    nu_wasm_value result = {};
    int count = 0;
    if (self->ended_by_us)
        return;
    self->is_memory_known = false;
    for (; *type != '='; type++, count++)
        args[count] = from_js(*type, info[count]);
    const char *failure = binding->import->call(self->host, args, &result);
    if (self->ended_by_us || self->isolate->IsExecutionTerminating())
        return;
    if (failure) {
        end_call(self, failure);
        self->isolate->ThrowException(v8::Exception::Error(v8::String::Empty(self->isolate)));
        return;
    }
    give_result(info, type[1], result);
}

// An import without code.
void on_refused(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    auto *binding = static_cast<Binding *>(info.Data().As<v8::External>()->Value());
    nu_wasm_instance *self = binding->instance;
    nu_wasm_value result = {};
    if (self->ended_by_us)
        return;
    self->refuse(self->host, binding->import, &result);
    give_result(info, std::strchr(binding->import->type, '=')[1], result);
}

// An object that has nothing but what is put into it, whatever the names are that a guest made up.
v8::Local<v8::Object> new_dictionary(v8::Isolate *isolate)
{
    return v8::Object::New(isolate, v8::Null(isolate), nullptr, nullptr, 0);
}

// What WebAssembly.Instance takes imports from: objects in an object.
void put_import(v8::Local<v8::Context> context, v8::Local<v8::Object> imports, const char *module,
                const char *name, v8::Local<v8::Value> value)
{
    v8::Isolate *isolate = context->GetIsolate();
    v8::Local<v8::String> module_name = make_string(isolate, module);
    v8::Local<v8::Value> names;
    if (!imports->Get(context, module_name).ToLocal(&names) || !names->IsObject()) {
        names = new_dictionary(isolate);
        imports->Set(context, module_name, names).Check();
    }
    names.As<v8::Object>()->Set(context, make_string(isolate, name), value).Check();
}

void put_functions(nu_wasm_instance *self, v8::Local<v8::Context> context,
                   v8::Local<v8::Object> imports, const nu_wasm_instance_params *params)
{
    for (size_t i = 0; i < params->import_count; i++) {
        const nu_wasm_import *import = params->imports[i];
        if (!import)
            continue;
        self->bindings.push_back({self, import});
        v8::Local<v8::Function> function =
            v8::Function::New(context, import->call ? on_import : on_refused,
                              v8::External::New(self->isolate, &self->bindings.back()), 0,
                              v8::ConstructorBehavior::kThrow)
                .ToLocalChecked();
        put_import(context, imports, import->module, import->name, function);
    }
}

// A constructor of the object WebAssembly.
v8::MaybeLocal<v8::Object> construct(v8::Local<v8::Context> context, const char *name, int count,
                                     v8::Local<v8::Value> *args)
{
    v8::Isolate *isolate = context->GetIsolate();
    v8::Local<v8::Value> wasm, constructor;
    if (!context->Global()->Get(context, make_string(isolate, "WebAssembly")).ToLocal(&wasm) ||
        !wasm.As<v8::Object>()->Get(context, make_string(isolate, name)).ToLocal(&constructor))
        return {};
    return constructor.As<v8::Function>()->NewInstance(context, count, args);
}

v8::MaybeLocal<v8::Object> make_storage(v8::Local<v8::Context> context,
                                        const nu_wasm_storage &storage)
{
    v8::Isolate *isolate = context->GetIsolate();
    v8::Local<v8::Object> wanted = new_dictionary(isolate);
    auto put = [&](const char *name, v8::Local<v8::Value> value) {
        wanted->Set(context, make_string(isolate, name), value).Check();
    };
    put("initial", v8::Integer::NewFromUnsigned(isolate, storage.min));
    put("maximum", v8::Integer::NewFromUnsigned(isolate, storage.max));
    bool is_memory = storage.kind == nu_wasm_storage::NU_WASM_STORES_BYTES;
    bool is_external = storage.kind == nu_wasm_storage::NU_WASM_STORES_REFERENCES;
    if (!is_memory)
        put("element", make_string(isolate, is_external ? "externref" : "anyfunc"));
    v8::Local<v8::Value> args[] = {wanted};
    return construct(context, is_memory ? "Memory" : "Table", 1, args);
}

// Makes the memory and the tables that the code imports. False with an exception pending.
bool put_storage(nu_wasm_instance *self, v8::Local<v8::Context> context,
                 v8::Local<v8::Object> imports, const nu_wasm_instance_params *params)
{
    for (size_t i = 0; i < params->storage_count; i++) {
        const nu_wasm_storage &storage = params->storage[i];
        v8::Local<v8::Object> made;
        if (!make_storage(context, storage).ToLocal(&made))
            return false;
        if (made->IsWasmMemoryObject())
            self->memory.Reset(self->isolate, made.As<v8::WasmMemoryObject>());
        put_import(context, imports, storage.module, storage.name, made);
    }
    return true;
}

// --- Code ----------------------------------------------------------------------------------------

v8::Isolate *new_isolate(v8::ArrayBuffer::Allocator *allocator)
{
    v8::Isolate::CreateParams params;
    params.array_buffer_allocator = allocator;
    params.constraints.ConfigureDefaultsFromHeapSize(0, kHeapBytes);
    return v8::Isolate::New(params);
}

nu_wasm_code *compile_in(v8::Isolate *isolate, const uint8_t *bytes, size_t size, char *error,
                         size_t error_size)
{
    v8::Isolate::Scope isolate_scope(isolate);
    v8::HandleScope handles(isolate);
    v8::Local<v8::Context> context = v8::Context::New(isolate);
    v8::Context::Scope context_scope(context);
    v8::TryCatch attempt(isolate);
    v8::Local<v8::WasmModuleObject> module;
    if (!v8::WasmModuleObject::Compile(isolate, {bytes, size}).ToLocal(&module)) {
        put_error(error, error_size, text_of(isolate, attempt.Exception()));
        return nullptr;
    }
    return new nu_wasm_code(module->GetCompiledModule());
}

nu_wasm_code *compile(const uint8_t *bytes, size_t size, char *error, size_t error_size)
{
    std::unique_ptr<v8::ArrayBuffer::Allocator> allocator(
        v8::ArrayBuffer::Allocator::NewDefaultAllocator());
    v8::Isolate *isolate = new_isolate(allocator.get());
    nu_wasm_code *code = compile_in(isolate, bytes, size, error, error_size);
    isolate->Dispose();
    return code;
}

void code_ref(nu_wasm_code *code)
{
    code->references.fetch_add(1, std::memory_order_relaxed);
}

void code_unref(nu_wasm_code *code)
{
    if (code && code->references.fetch_sub(1, std::memory_order_acq_rel) == 1)
        delete code;
}

// --- Instances -----------------------------------------------------------------------------------

// Stack grows down: from here `wanted` bytes, or what the thread has.
void limit_stack(v8::Isolate *isolate, size_t wanted)
{
    pthread_attr_t attributes;
    void *lowest = nullptr;
    size_t size = 0;
    auto here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
    uintptr_t limit = here - std::min<uintptr_t>(wanted, here / 2);
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        if (pthread_attr_getstack(&attributes, &lowest, &size) == 0)
            limit = std::max(limit, reinterpret_cast<uintptr_t>(lowest) + kStackReserve);
        pthread_attr_destroy(&attributes);
    }
    isolate->SetStackLimit(limit);
}

// The exported memory. False with an exception pending.
bool take_memory(nu_wasm_instance *self, v8::Local<v8::Context> context, const char *name)
{
    v8::Isolate *isolate = self->isolate;
    v8::Local<v8::Value> memory;
    if (!self->exports.Get(isolate)->Get(context, make_string(isolate, name)).ToLocal(&memory))
        return false;
    if (!memory->IsWasmMemoryObject()) {
        isolate->ThrowException(make_string(isolate, "there is no such memory"));
        return false;
    }
    self->memory.Reset(isolate, memory.As<v8::WasmMemoryObject>());
    return true;
}

// False with an exception pending.
bool link(nu_wasm_instance *self, v8::Local<v8::Context> context,
          const nu_wasm_instance_params *params)
{
    v8::Isolate *isolate = self->isolate;
    v8::Local<v8::WasmModuleObject> module;
    v8::Local<v8::Value> exports;
    v8::Local<v8::Object> instance;
    v8::Local<v8::Object> imports = new_dictionary(isolate);
    put_functions(self, context, imports, params);
    if (!put_storage(self, context, imports, params) ||
        !v8::WasmModuleObject::FromCompiledModule(isolate, self->code->module).ToLocal(&module))
        return false;
    v8::Local<v8::Value> args[] = {module, imports};
    if (!construct(context, "Instance", 2, args).ToLocal(&instance) ||
        !instance->Get(context, make_string(isolate, "exports")).ToLocal(&exports))
        return false;
    self->exports.Reset(isolate, exports.As<v8::Object>());
    return !self->memory.IsEmpty() || take_memory(self, context, params->memory);
}

bool set_up(nu_wasm_instance *self, const nu_wasm_instance_params *params, char *error,
            size_t error_size)
{
    v8::Isolate *isolate = self->isolate;
    v8::Isolate::Scope isolate_scope(isolate);
    v8::HandleScope handles(isolate);
    v8::Local<v8::Context> context = v8::Context::New(isolate);
    v8::Context::Scope context_scope(context);
    v8::TryCatch attempt(isolate);
    self->context.Reset(isolate, context);
    if (link(self, context, params))
        return true;
    put_error(error, error_size,
              self->ended_by_us ? self->message : text_of(isolate, attempt.Exception()));
    return false;
}

// The instance whose isolate the thread has entered. Entering one costs a lock, so it is left only
// for another's sake.
thread_local nu_wasm_instance *entered;

void leave()
{
    if (entered)
        entered->isolate->Exit();
    entered = nullptr;
}

void destroy(nu_wasm_instance *self)
{
    if (!self)
        return;
    if (entered == self)
        leave();
    self->functions.clear();
    self->buffer.Reset();
    self->memory.Reset();
    self->exports.Reset();
    self->context.Reset();
    self->isolate->Dispose();
    code_unref(self->code);
    delete self;
}

nu_wasm_instance *instantiate(nu_wasm_code *code, const nu_wasm_instance_params *params,
                              char *error, size_t error_size)
{
    auto *self = new nu_wasm_instance;
    code_ref(code);
    self->code = code;
    self->host = params->host;
    self->refuse = params->refuse;
    self->allocator.reset(v8::ArrayBuffer::Allocator::NewDefaultAllocator());
    self->isolate = new_isolate(self->allocator.get());
    self->isolate->SetCaptureStackTraceForUncaughtExceptions(true, NU_WASM_FRAMES_MAX);
    self->isolate->SetMicrotasksPolicy(v8::MicrotasksPolicy::kExplicit); // there are no promises
    self->isolate->AddNearHeapLimitCallback(on_near_heap_limit, self);
    limit_stack(self->isolate, params->stack_bytes);
    if (set_up(self, params, error, error_size))
        return self;
    destroy(self);
    return nullptr;
}

nu_wasm_function *find(nu_wasm_instance *self, const char *name, const char *type)
{
    v8::Isolate *isolate = self->isolate;
    v8::Isolate::Scope isolate_scope(isolate);
    v8::HandleScope handles(isolate);
    v8::Local<v8::Context> context = self->context.Get(isolate);
    v8::Context::Scope context_scope(context);
    v8::Local<v8::Value> value;
    if (!self->exports.Get(isolate)->Get(context, make_string(isolate, name)).ToLocal(&value) ||
        !value->IsFunction())
        return nullptr;
    const char *end = strchr(type, '=');
    self->functions.emplace_back();
    nu_wasm_function *function = &self->functions.back();
    function->function.Reset(isolate, value.As<v8::Function>());
    function->type = type;
    function->arg_count = static_cast<size_t>(end - type);
    function->result = end[1];
    return function;
}

// --- Calls ---------------------------------------------------------------------------------------

nu_wasm_outcome on_failure(nu_wasm_instance *self, v8::Local<v8::Context> context,
                           v8::TryCatch &attempt)
{
    v8::Context::Scope context_scope(context);
    if (self->ended_by_us)
        return NU_WASM_TRAPPED;
    if (attempt.HasTerminated()) {
        self->message = "terminated";
        self->frames.clear();
        return NU_WASM_TERMINATED;
    }
    v8::Local<v8::Message> message = attempt.Message();
    set_trap(self, text_of(self->isolate, attempt.Exception()),
             message.IsEmpty() ? v8::Local<v8::StackTrace>() : message->GetStackTrace());
    return NU_WASM_TRAPPED;
}

nu_wasm_outcome call_within(nu_wasm_instance *self, nu_wasm_function *function,
                            const nu_wasm_value *args, nu_wasm_value *result)
{
    v8::Isolate *isolate = self->isolate;
    v8::HandleScope handles(isolate);
    v8::Local<v8::Context> context = self->context.Get(isolate);
    v8::TryCatch attempt(isolate);
    v8::Local<v8::Value> values[NU_WASM_ARGS_MAX];
    v8::Local<v8::Value> value;
    for (size_t i = 0; i < function->arg_count; i++)
        values[i] = to_js(isolate, function->type[i], args[i]);
    if (!function->function.Get(isolate)
             ->Call(context, v8::Undefined(isolate), static_cast<int>(function->arg_count), values)
             .ToLocal(&value))
        return on_failure(self, context, attempt);
    if (self->ended_by_us)
        return NU_WASM_TRAPPED;
    if (function->result && result)
        *result = from_js(function->result, value);
    return NU_WASM_DONE;
}

// After the outermost call: what ended it ends no other, and V8's own tasks have their turn.
void settle(nu_wasm_instance *self)
{
    if (self->ended_by_us) {
        self->ended_by_us = false;
        self->isolate->CancelTerminateExecution();
    }
    if (++self->calls < kCallsToPump)
        return;
    self->calls = 0;
    while (v8::platform::PumpMessageLoop(platform, self->isolate)) {
    }
}

nu_wasm_outcome call_entered(nu_wasm_instance *self, nu_wasm_function *function,
                             const nu_wasm_value *args, nu_wasm_value *result)
{
    self->depth++;
    nu_wasm_outcome outcome = call_within(self, function, args, result);
    self->is_memory_known = false;
    if (--self->depth == 0)
        settle(self);
    return outcome;
}

nu_wasm_outcome call(nu_wasm_instance *self, nu_wasm_function *function, const nu_wasm_value *args,
                     nu_wasm_value *result)
{
    if (entered != self && entered && entered->depth) {
        v8::Isolate::Scope isolate_scope(self->isolate); // below another's call
        return call_entered(self, function, args, result);
    }
    if (entered != self) {
        leave();
        self->isolate->Enter();
        entered = self;
    }
    return call_entered(self, function, args, result);
}

uint8_t *get_memory(nu_wasm_instance *self, size_t *size)
{
    *size = self->size;
    if (self->is_memory_known)
        return self->base;
    v8::HandleScope handles(self->isolate);
    v8::Local<v8::ArrayBuffer> buffer = self->buffer.Get(self->isolate);
    // A memory that grew has a new buffer, and the old one has no bytes any more.
    if (buffer.IsEmpty() || self->size == 0 || buffer->ByteLength() != self->size) {
        buffer = self->memory.Get(self->isolate)->Buffer();
        self->buffer.Reset(self->isolate, buffer);
        self->base = static_cast<uint8_t *>(buffer->GetBackingStore()->Data());
        self->size = buffer->ByteLength();
    }
    self->is_memory_known = true;
    *size = self->size;
    return self->base;
}

void terminate(nu_wasm_instance *self)
{
    self->isolate->TerminateExecution();
}

void cancel_terminate(nu_wasm_instance *self)
{
    self->isolate->CancelTerminateExecution();
}

// --- The process ---------------------------------------------------------------------------------

// The platform lives as long as the process: its threads may be at work when that ends.
bool start(unsigned threads, char *error, size_t error_size)
{
    if (strncmp(v8::V8::GetVersion(), kVersion, strlen(kVersion)) != 0) {
        put_error(error, error_size,
                  std::string("built for V8 ") + kVersion + ", not for " + v8::V8::GetVersion());
        return false;
    }
    platform = v8::platform::NewDefaultPlatform(static_cast<int>(threads),
                                                v8::platform::IdleTaskSupport::kDisabled,
                                                v8::platform::InProcessStackDumping::kDisabled)
                   .release();
    v8::V8::InitializePlatform(platform);
    if (v8::V8::Initialize())
        return true;
    put_error(error, error_size, "V8 does not start");
    return false;
}

} // namespace

extern "C" __attribute__((visibility("default"))) const nu_wasm_engine nuncio_wasm_engine = {
    NU_WASM_ENGINE_ABI,
    "v8",
    "V8 " V8_S(V8_MAJOR_VERSION) "." V8_S(V8_MINOR_VERSION) "." V8_S(V8_BUILD_NUMBER) "." V8_S(
        V8_PATCH_LEVEL),
    start,
    compile,
    code_ref,
    code_unref,
    instantiate,
    destroy,
    find,
    call,
    get_trap,
    get_memory,
    terminate,
    cancel_terminate,
};
