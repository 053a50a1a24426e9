/* Prints one array of a recording, a number a line: written from `backproof record --format`, without a JSON library. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int count, char **words) {
    FILE *file = count == 3 ? fopen(words[1], "rb") : NULL;
    uint64_t length, begin, end;
    if (!file || fread(&length, 8, 1, file) != 1) return 2;
    char *header = malloc(length + 1), name[128];
    if (!header || fread(header, 1, length, file) != length) return 2;
    header[length] = 0;
    snprintf(name, sizeof name, "\"%s\":{", words[2]);
    char *entry = strstr(header, name);
    char *offsets = entry ? strstr(entry, "\"data_offsets\":[") : NULL;
    if (!offsets || sscanf(offsets, "\"data_offsets\":[%" SCNu64 ",%" SCNu64, &begin, &end) != 2) return 1;
    fseek(file, (long)(8 + length + begin), SEEK_SET);
    for (double number; begin < end && fread(&number, 8, 1, file) == 1; begin += 8) printf("%.17g\n", number);
    return 0;
}
