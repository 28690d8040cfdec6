// Reads blocks of 125 holding registers with libmodbus, one after the other, for so many milliseconds, and keeps each
// register as a number: what the bare loop in C does.
//
//   libmodbus-client PORT MS
#include <errno.h>
#include <modbus.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define BLOCKS 80

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static double cpu_micros(const struct rusage *use) {
  return use->ru_utime.tv_sec * 1e6 + use->ru_utime.tv_usec + use->ru_stime.tv_sec * 1e6 + use->ru_stime.tv_usec;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  modbus_t *client = modbus_new_tcp("127.0.0.1", atoi(argv[1]));
  static double tags[BLOCKS * 125];
  uint16_t registers[125];
  if (modbus_set_slave(client, 1) || modbus_connect(client)) return 1;
  double until = now() + atof(argv[2]), started = now();
  long requests = 0;
  struct rusage before, after;
  getrusage(RUSAGE_SELF, &before);
  while (now() < until) {
    int block = (int)(requests % BLOCKS);
    if (modbus_read_registers(client, block * 125, 125, registers) != 125) {
      fprintf(stderr, "libmodbus: %s\n", modbus_strerror(errno));
      return 1;
    }
    for (int i = 0; i < 125; i++) tags[block * 125 + i] = registers[i];
    requests++;
  }
  double ms = now() - started;
  getrusage(RUSAGE_SELF, &after);
  printf("{\"mark\":\"end\",\"tagsPerSecond\":%f,\"cpuMicrosPerTag\":%f,\"residentMB\":%f,\"sum\":%f}\n",
         requests * 125e3 / ms, (cpu_micros(&after) - cpu_micros(&before)) / (requests * 125.0),
         after.ru_maxrss / 1024.0, tags[7]);
  return 0;
}
