// As much JSON as a small connector needs: check a text, find a member, walk an array, read and write strings and numbers.
// Values are slices of the text they came from. Every function takes any bytes; what is no JSON is "absent".
#pragma once
#include "connector.h"

#define JSON_DEPTH 128

static const text ABSENT = {0, 0};

static size_t json_space(text in, size_t i) {
  while (i < in.size && (in.at[i] == ' ' || in.at[i] == '\t' || in.at[i] == '\n' || in.at[i] == '\r')) i++;
  return i;
}

static int json_hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

static int json_digit(text in, size_t i) { return i < in.size && in.at[i] >= '0' && in.at[i] <= '9'; }

// Each of these returns the place after the value that begins at i, or 0 if there is none.
static size_t json_end(text in, size_t i, int depth);

static size_t json_string_end(text in, size_t i) {
  for (i++; i < in.size; i++) {
    unsigned char c = (unsigned char)in.at[i];
    if (c == '"') return i + 1;
    if (c < 0x20) return 0;
    if (c != '\\') continue;
    if (++i >= in.size) return 0;
    c = (unsigned char)in.at[i];
    if (c == 'u') {
      for (int k = 1; k <= 4; k++)
        if (i + k >= in.size || json_hex(in.at[i + k]) < 0) return 0;
      i += 4;
    } else if (c != '"' && c != '\\' && c != '/' && c != 'b' && c != 'f' && c != 'n' && c != 'r' && c != 't') {
      return 0;
    }
  }
  return 0;
}

static size_t json_number_end(text in, size_t i) {
  if (i < in.size && in.at[i] == '-') i++;
  if (!json_digit(in, i)) return 0;
  if (in.at[i] == '0') {
    i++;
  } else {
    while (json_digit(in, i)) i++;
  }
  if (i < in.size && in.at[i] == '.') {
    if (!json_digit(in, ++i)) return 0;
    while (json_digit(in, i)) i++;
  }
  if (i < in.size && (in.at[i] == 'e' || in.at[i] == 'E')) {
    i++;
    if (i < in.size && (in.at[i] == '+' || in.at[i] == '-')) i++;
    if (!json_digit(in, i)) return 0;
    while (json_digit(in, i)) i++;
  }
  return i;
}

static size_t json_container_end(text in, size_t i, int depth) {
  int object = in.at[i] == '{';
  char close = object ? '}' : ']';
  if (depth >= JSON_DEPTH) return 0;
  i = json_space(in, i + 1);
  if (i < in.size && in.at[i] == close) return i + 1;
  for (;;) {
    if (object) {
      if (i >= in.size || in.at[i] != '"' || !(i = json_string_end(in, i))) return 0;
      i = json_space(in, i);
      if (i >= in.size || in.at[i] != ':') return 0;
      i = json_space(in, i + 1);
    }
    if (!(i = json_end(in, i, depth + 1))) return 0;
    i = json_space(in, i);
    if (i >= in.size) return 0;
    if (in.at[i] == close) return i + 1;
    if (in.at[i] != ',') return 0;
    i = json_space(in, i + 1);
  }
}

static size_t json_end(text in, size_t i, int depth) {
  static const text words[] = {{"true", 4}, {"false", 5}, {"null", 4}};
  if (i >= in.size) return 0;
  if (in.at[i] == '"') return json_string_end(in, i);
  if (in.at[i] == '{' || in.at[i] == '[') return json_container_end(in, i, depth);
  for (int w = 0; w < 3; w++)
    if (i + words[w].size <= in.size && is((text){in.at + i, words[w].size}, words[w])) return i + words[w].size;
  return json_number_end(in, i);
}

// The one value a text consists of, without the space around it.
static text json_whole(text in) {
  size_t start = json_space(in, 0), end = json_end(in, start, 0);
  return end && json_space(in, end) == in.size ? (text){in.at + start, end - start} : ABSENT;
}

// The next element of an array, or the next member's name and then its value of an object; *place starts at 0.
static text json_next(text in, size_t *place) {
  size_t i = json_space(in, *place);
  if (i < in.size && (i == 0 || in.at[i] == ',' || in.at[i] == ':')) i = json_space(in, i + 1);
  size_t end = json_end(in, i, 0);
  if (!end) return ABSENT;
  *place = end;
  return (text){in.at + i, end - i};
}

// The text a JSON string stands for. Half a surrogate pair becomes the replacement character.
static text json_string(text value) {
  if (!value.size || value.at[0] != '"') return ABSENT;
  char *out = allocate(value.size, 1);
  size_t n = 0;
  for (size_t i = 1; i + 1 < value.size; i++) {
    if (value.at[i] != '\\') {
      out[n++] = value.at[i];
      continue;
    }
    char c = value.at[++i];
    if (c != 'u') {
      out[n++] = c == 'b' ? '\b' : c == 'f' ? '\f' : c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
      continue;
    }
    uint32_t code = 0, low = 0;
    for (int k = 1; k <= 4; k++) code = code * 16 + (uint32_t)json_hex(value.at[i + k]);
    i += 4;
    if (code >= 0xD800 && code < 0xDC00 && i + 6 < value.size && value.at[i + 1] == '\\' && value.at[i + 2] == 'u') {
      for (int k = 3; k <= 6; k++) low = low * 16 + (uint32_t)json_hex(value.at[i + k]);
      if (low >= 0xDC00 && low < 0xE000) {
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        i += 6;
      }
    }
    if (code >= 0xD800 && code < 0xE000) code = 0xFFFD;
    if (code < 0x80) {
      out[n++] = (char)code;
    } else if (code < 0x800) {
      out[n++] = (char)(0xC0 | code >> 6);
      out[n++] = (char)(0x80 | (code & 63));
    } else if (code < 0x10000) {
      out[n++] = (char)(0xE0 | code >> 12);
      out[n++] = (char)(0x80 | (code >> 6 & 63));
      out[n++] = (char)(0x80 | (code & 63));
    } else {
      out[n++] = (char)(0xF0 | code >> 18);
      out[n++] = (char)(0x80 | (code >> 12 & 63));
      out[n++] = (char)(0x80 | (code >> 6 & 63));
      out[n++] = (char)(0x80 | (code & 63));
    }
  }
  return (text){out, n};
}

// A member's value; the last one wins, as everywhere else.
static text json_member(text object, text name) {
  text found = ABSENT;
  object = json_whole(object);
  if (!object.size || object.at[0] != '{') return found;
  size_t place = 0;
  for (;;) {
    text key = json_next(object, &place);
    text value = key.size ? json_next(object, &place) : ABSENT;
    if (!value.size) return found;
    if (is(json_string(key), name)) found = value;
  }
}

static text json_string_member(text object, text name) { return json_string(json_member(object, name)); }

// A non-negative integer, or the default if the text is anything else.
static long json_integer(text value, long otherwise) {
  long number = 0;
  if (!value.size || value.size > 9) return otherwise;
  for (size_t i = 0; i < value.size; i++) {
    if (value.at[i] < '0' || value.at[i] > '9') return otherwise;
    number = number * 10 + (value.at[i] - '0');
  }
  return number;
}

static void put_integer(writer *out, long number) {
  char digits[12];
  size_t n = sizeof digits;
  do digits[--n] = (char)('0' + number % 10);
  while (number /= 10);
  put(out, (text){digits + n, sizeof digits - n});
}

static void put_string(writer *out, text value) {
  static const char hex[] = "0123456789abcdef";
  PUT(out, "\"");
  size_t from = 0;
  for (size_t i = 0; i < value.size; i++) {
    unsigned char c = (unsigned char)value.at[i];
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    put(out, (text){value.at + from, i - from});
    from = i + 1;
    if (c == '"') {
      PUT(out, "\\\"");
    } else if (c == '\\') {
      PUT(out, "\\\\");
    } else {
      char escape[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
      put(out, (text){escape, sizeof escape});
    }
  }
  put(out, (text){value.at + from, value.size - from});
  PUT(out, "\"");
}

static outcome *failure(text kind, text message) {
  writer out = {0};
  PUT(&out, "{\"class\":");
  put_string(&out, kind);
  PUT(&out, ",\"message\":");
  put_string(&out, message);
  PUT(&out, "}");
  return failed(written(&out));
}
