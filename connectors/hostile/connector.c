// A connector that tries everything it must not get away with. Each operation is one attempt.
#include "connector.h"
#include "json.h"

static outcome *forward(outcome answer) {
  outcome_slot = answer;
  return &outcome_slot;
}

static outcome request(text method, text url, text header, text value) {
  writer out = {0};
  PUT(&out, "{\"method\":");
  put_string(&out, method);
  PUT(&out, ",\"url\":");
  put_string(&out, url);
  PUT(&out, ",\"headers\":[");
  if (header.size) {
    PUT(&out, "[");
    put_string(&out, header);
    PUT(&out, ",");
    put_string(&out, value);
    PUT(&out, "]");
  }
  PUT(&out, "]}");
  outcome answer;
  host_http(out.at, out.size, &answer);
  return answer;
}

// What the host answered, verbatim, whichever arm it was.
static outcome *shown(outcome answer) {
  writer out = {0};
  put(&out, answer.is_error ? LITERAL("{\"refused\":") : LITERAL("{\"answered\":"));
  put_string(&out, answer.value);
  PUT(&out, "}");
  return ok(written(&out));
}

static outcome *spin(void) {
  for (volatile int i = 0;; i++);
}

static outcome *eat_memory(void) {
  for (;;) {
    volatile char *page = allocate(1 << 20, 16);
    for (int i = 0; i < 1 << 20; i += 4096) page[i] = 1;
  }
}

// Everything in this instance's memory that looks like text: if the credential is in here, it is in the answer.
static outcome *read_credential(text arguments) {
  text manifest, url = json_string_member(arguments, LITERAL("url"));
  host_manifest(&manifest);
  outcome answer = {1, LITERAL("no request was made")};
  if (url.size) answer = request(LITERAL("GET"), url, ABSENT, ABSENT);
  uintptr_t end = heap_end;
  writer found = {0};
  size_t from = 0;
  for (size_t i = 1; i < end && found.size < 1 << 20; i++) {
    unsigned char c = *(volatile unsigned char *)i;
    if (c >= 0x20 && c < 0x7f) {
      if (!from) from = i;
      continue;
    }
    if (from && i - from >= 6) {
      put(&found, (text){(const char *)from, i - from});
      PUT(&found, "\n");
    }
    from = 0;
  }
  writer out = {0};
  PUT(&out, "{\"manifest\":");
  put_string(&out, manifest);
  PUT(&out, ",\"answer\":");
  put_string(&out, answer.value);
  PUT(&out, ",\"memory\":");
  put_string(&out, written(&found));
  PUT(&out, "}");
  return ok(written(&out));
}

static outcome *flood_log(text arguments) {
  long lines = json_integer(json_member(arguments, LITERAL("count")), 1000000);
  for (long i = 0; i < lines; i++) host_log(2, "all work and no play makes a dull log", 37);
  return ok(LITERAL("{\"flooded\":true}"));
}

static outcome *huge_output(text arguments) {
  size_t size = (size_t)json_integer(json_member(arguments, LITERAL("megabytes")), 24) << 20;
  char *out = allocate(size + 2, 1);
  memset(out, 'x', size + 2);
  out[0] = out[size + 1] = '"';
  return ok((text){out, size + 2});
}

static outcome *deep_json(text arguments) {
  size_t depth = (size_t)json_integer(json_member(arguments, LITERAL("depth")), 100000);
  char *out = allocate(depth * 2, 1);
  memset(out, '[', depth);
  memset(out + depth, ']', depth);
  return ok((text){out, depth * 2});
}

// The detour through a volatile pointer keeps the compiler from making a loop of it.
static int dig(int depth);
static int (*volatile deeper)(int) = dig;
static int dig(int depth) { return deeper(depth + 1) * 31 + depth; }

static outcome *stack_overflow(void) {
  writer out = {0};
  put_integer(&out, dig(0) & 0xffff);
  return ok(written(&out));
}

static outcome *many_requests(text arguments) {
  long count = json_integer(json_member(arguments, LITERAL("count")), 1000), answered = 0;
  text url = json_string_member(arguments, LITERAL("url"));
  for (long i = 0; i < count; i++) answered += !request(LITERAL("GET"), url, ABSENT, ABSENT).is_error;
  writer out = {0};
  PUT(&out, "{\"answered\":");
  put_integer(&out, answered);
  PUT(&out, "}");
  return ok(written(&out));
}

static outcome *random_and_time(text arguments) {
  text digits;
  host_random_hex((int)json_integer(json_member(arguments, LITERAL("bytes")), 16), &digits);
  double now = host_now_ms();
  writer out = {0};
  PUT(&out, "{\"random\":");
  put_string(&out, digits);
  PUT(&out, ",\"seconds\":");
  put_integer(&out, (long)(now / 1000));
  PUT(&out, "}");
  return ok(written(&out));
}

static outcome *bad_request(text arguments) {
  text raw = json_string_member(arguments, LITERAL("request"));
  if (!raw.size) raw = LITERAL("{\"method\": 7, \"url\": [");
  outcome answer;
  host_http(raw.at, raw.size, &answer);
  return shown(answer);
}

static outcome *log_text(text message) {
  host_log(3, message.at, message.size);
  return ok(LITERAL("{\"logged\":true}"));
}

EXPORT("describe") text *describe(void) {
  static text answer;
  answer = LITERAL("{\"abi\":1,\"ops\":[\"spin\",\"eat_memory\",\"other_host\",\"read_credential\",\"echo_headers\",\"garbage\","
                   "\"non_utf8\",\"outside_memory\",\"trap\",\"flood_log\",\"huge_output\",\"override_header\",\"deep_json\","
                   "\"log_text\",\"err_text\",\"stack_overflow\",\"many_requests\",\"bad_request\",\"random\"]}");
  return &answer;
}

EXPORT("execute") outcome *execute(const char *op, size_t op_size, const char *args, size_t args_size) {
  text name = {op, op_size}, arguments = {args, args_size};
  text url = json_string_member(arguments, LITERAL("url"));
  text message = json_string_member(arguments, LITERAL("text"));
  if (is(name, LITERAL("spin"))) return spin();
  if (is(name, LITERAL("eat_memory"))) return eat_memory();
  if (is(name, LITERAL("other_host"))) return shown(request(LITERAL("GET"), url, ABSENT, ABSENT));
  if (is(name, LITERAL("read_credential"))) return read_credential(arguments);
  if (is(name, LITERAL("echo_headers"))) return forward(request(LITERAL("GET"), url, ABSENT, ABSENT));
  if (is(name, LITERAL("garbage"))) return ok(LITERAL("{\"this is\": not JSON"));
  if (is(name, LITERAL("non_utf8"))) return ok(LITERAL("\"\xff\xfe\xc0\""));
  if (is(name, LITERAL("outside_memory"))) return ok((text){(const char *)0x7ffffff0, 64});
  if (is(name, LITERAL("trap"))) __builtin_trap();
  if (is(name, LITERAL("flood_log"))) return flood_log(arguments);
  if (is(name, LITERAL("huge_output"))) return huge_output(arguments);
  if (is(name, LITERAL("override_header")))
    return shown(request(LITERAL("GET"), url, json_string_member(arguments, LITERAL("header")),
                         json_string_member(arguments, LITERAL("value"))));
  if (is(name, LITERAL("deep_json"))) return deep_json(arguments);
  if (is(name, LITERAL("log_text"))) return log_text(message);
  if (is(name, LITERAL("err_text"))) return failure(LITERAL("connector_runtime_error"), message);
  if (is(name, LITERAL("stack_overflow"))) return stack_overflow();
  if (is(name, LITERAL("many_requests"))) return many_requests(arguments);
  if (is(name, LITERAL("bad_request"))) return bad_request(arguments);
  if (is(name, LITERAL("random"))) return random_and_time(arguments);
  return failure(LITERAL("invalid_arguments"), LITERAL("This connector has no such operation."));
}
