// The connector world as C sees it: the canonical ABI's lowering of aileron:connector@0.1.0, and an allocator.
// One file includes this once. An instance lives for one call, so nothing is ever freed.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct {
  const char *at;
  size_t size;
} text;

typedef struct {
  uint8_t is_error;
  text value;
} outcome;

#define HOST(name) __attribute__((import_module("aileron:connector/host@0.1.0"), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

HOST("http") void host_http(const char *request, size_t size, outcome *answer);
HOST("log") void host_log(int level, const char *message, size_t size);
HOST("now-ms") double host_now_ms(void);
HOST("random-hex") void host_random_hex(int bytes, text *answer);
HOST("manifest") void host_manifest(text *answer);

#define LITERAL(characters) ((text){characters, sizeof(characters) - 1})

// The compiler turns loops into calls of these two, library or no library.
void *memcpy(void *to, const void *from, size_t size) {
  for (size_t i = 0; i < size; i++) ((char *)to)[i] = ((const char *)from)[i];
  return to;
}

void *memset(void *to, int value, size_t size) {
  for (size_t i = 0; i < size; i++) ((char *)to)[i] = (char)value;
  return to;
}

extern unsigned char __heap_base;
static uintptr_t heap_end;

static void *allocate(size_t size, size_t alignment) {
  if (!heap_end) heap_end = (uintptr_t)&__heap_base;
  uintptr_t start = (heap_end + alignment - 1) & ~(alignment - 1);
  size_t have = __builtin_wasm_memory_size(0) * 65536;
  if (size > 0x7fffffff - start) __builtin_trap();
  heap_end = start + size;
  if (heap_end > have && __builtin_wasm_memory_grow(0, (heap_end - have + 65535) / 65536) == (size_t)-1) __builtin_trap();
  return (void *)start;
}

EXPORT("cabi_realloc") void *cabi_realloc(void *old, size_t old_size, size_t alignment, size_t size) {
  void *fresh = allocate(size, alignment);
  if (old_size) memcpy(fresh, old, old_size < size ? old_size : size);
  return fresh;
}

static int is(text one, text other) {
  if (one.size != other.size) return 0;
  for (size_t i = 0; i < one.size; i++)
    if (one.at[i] != other.at[i]) return 0;
  return 1;
}

// A text that grows.
typedef struct {
  char *at;
  size_t size, room;
} writer;

static void put(writer *out, text added) {
  if (out->size + added.size > out->room) {
    size_t room = (out->size + added.size) * 2 + 64;
    char *fresh = allocate(room, 1);
    if (out->size) memcpy(fresh, out->at, out->size);
    out->at = fresh;
    out->room = room;
  }
  if (added.size) memcpy(out->at + out->size, added.at, added.size);
  out->size += added.size;
}

#define PUT(out, characters) put(out, LITERAL(characters))

static text written(const writer *out) { return (text){out->at, out->size}; }

static outcome outcome_slot;

static outcome *ok(text value) {
  outcome_slot = (outcome){0, value};
  return &outcome_slot;
}

static outcome *failed(text value) {
  outcome_slot = (outcome){1, value};
  return &outcome_slot;
}
