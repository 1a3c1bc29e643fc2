// A connector as it should be: JSON in, one request, JSON out, and every failure said plainly.
#include "connector.h"
#include "json.h"

#define DESCRIBED "{\"abi\":1,\"ops\":[\"get_json\",\"post_json\",\"put_json\",\"echo\"]}"
static const text DESCRIPTION = {DESCRIBED, sizeof(DESCRIBED) - 1};

static int same_letters(text one, const char *lower) {
  size_t i = 0;
  for (; i < one.size && lower[i]; i++) {
    char c = one.at[i];
    if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != lower[i]) return 0;
  }
  return i == one.size && !lower[i];
}

static text header(text headers, const char *lower) {
  size_t place = 0;
  for (;;) {
    text pair = json_next(headers, &place);
    if (!pair.size) return ABSENT;
    size_t inside = 0;
    text name = json_string(json_next(pair, &inside));
    if (same_letters(name, lower)) return json_string(json_next(pair, &inside));
  }
}

// The service refused: say so with its status, and whether and when trying again makes sense.
static outcome *refused(long status, text response) {
  writer out = {0};
  PUT(&out, "{\"class\":\"external_api_error\",\"message\":\"The service answered with status ");
  put_integer(&out, status);
  PUT(&out, ".\",\"status\":");
  put_integer(&out, status);
  int retriable = status == 429 || status >= 500;
  put(&out, retriable ? LITERAL(",\"retriable\":true") : LITERAL(",\"retriable\":false"));
  long seconds = json_integer(header(json_member(response, LITERAL("headers")), "retry-after"), -1);
  if (retriable && seconds >= 0 && seconds <= 86400) {
    PUT(&out, ",\"retry_after_ms\":");
    put_integer(&out, seconds * 1000);
  }
  PUT(&out, "}");
  return failed(written(&out));
}

static outcome *answered(text response) {
  long status = json_integer(json_member(response, LITERAL("status")), 0);
  if (status < 200 || status > 299) return refused(status, response);
  writer out = {0};
  PUT(&out, "{\"status\":");
  put_integer(&out, status);
  text encoded = json_member(response, LITERAL("body_base64"));
  if (encoded.size) {
    PUT(&out, ",\"body_base64\":");
    put(&out, encoded);
  } else {
    text body = json_string_member(response, LITERAL("body"));
    text value = json_whole(body);
    PUT(&out, ",\"body\":");
    if (value.size) {
      put(&out, value);
    } else {
      put_string(&out, body);
    }
  }
  PUT(&out, "}");
  return ok(written(&out));
}

static outcome *send(text method, text arguments, int has_body) {
  text url = json_string_member(arguments, LITERAL("url"));
  if (!url.size) return failure(LITERAL("invalid_arguments"), LITERAL("The input 'url' must be a text."));
  writer request = {0};
  PUT(&request, "{\"method\":");
  put_string(&request, method);
  PUT(&request, ",\"url\":");
  put_string(&request, url);
  PUT(&request, ",\"headers\":[[\"accept\",\"application/json\"]");
  if (has_body) {
    text body = json_string_member(arguments, LITERAL("body"));
    if (!json_whole(body).size)
      return failure(LITERAL("invalid_arguments"), LITERAL("The input 'body' must be a text that holds JSON."));
    PUT(&request, ",[\"content-type\",\"application/json\"]],\"body\":");
    put_string(&request, body);
  } else {
    PUT(&request, "]");
  }
  PUT(&request, "}");
  outcome answer;
  host_http(request.at, request.size, &answer);
  if (!answer.is_error) return answered(answer.value);
  writer message = {0};
  PUT(&message, "The request did not succeed (");
  put(&message, json_string_member(answer.value, LITERAL("code")));
  PUT(&message, "): ");
  put(&message, json_string_member(answer.value, LITERAL("message")));
  return failure(LITERAL("connector_runtime_error"), written(&message));
}

EXPORT("describe") text *describe(void) {
  static text answer;
  answer = DESCRIPTION;
  return &answer;
}

EXPORT("execute") outcome *execute(const char *op, size_t op_size, const char *args, size_t args_size) {
  text name = {op, op_size}, arguments = {args, args_size};
  if (is(name, LITERAL("echo"))) return ok(arguments);
  if (is(name, LITERAL("get_json"))) return send(LITERAL("GET"), arguments, 0);
  if (is(name, LITERAL("post_json"))) return send(LITERAL("POST"), arguments, 1);
  if (is(name, LITERAL("put_json"))) return send(LITERAL("PUT"), arguments, 1);
  return failure(LITERAL("invalid_arguments"), LITERAL("This connector has no such operation."));
}
