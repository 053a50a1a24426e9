/* A sigmoid network under half the squared error, held to Backproof as exec:./sigmoid_net, without a JSON library.

   The keys of a request stand in a fixed order and after "weights" there are only numbers, so that it is enough to find a
   key and then read numbers, stepping over brackets and commas. The batch is summed sample by sample. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *after(const char *text, const char *key) {
    const char *found = strstr(text, key);
    if (found == NULL) {
        fprintf(stderr, "no %s in the request\n", key);
        exit(3);
    }
    return found + strlen(key);
}

static double number(const char **at) {
    char *end;
    double value;
    *at += strspn(*at, "[], ");
    value = strtod(*at, &end);
    *at = end;
    return value;
}

static double *numbers(const char **at, int count) {
    double *found = malloc(sizeof(double) * count);
    for (int i = 0; i < count; i++) found[i] = number(at);
    return found;
}

static void list(const double *values, int count) {
    for (int i = 0; i < count; i++) printf("%s%.17g", i ? "," : "[", values[i]);
    printf("]");
}

static void gradients(const char *line) {
    enum { LAYERS = 64 };
    int id = atoi(after(line, "\"id\":")), batch = atoi(after(line, "\"batch_size\":")), depth = -1, n[LAYERS + 1];
    double *w[LAYERS], *b[LAYERS], *dw[LAYERS], *db[LAYERS], *a[LAYERS + 1], *delta[LAYERS], *x, *y, loss = 0;
    const char *at = after(line, "\"widths\":");
    do n[++depth] = (int)number(&at);
    while (*at == ',');
    at = after(line, "\"weights\":");
    for (int l = 0; l < depth; l++) w[l] = numbers(&at, n[l + 1] * n[l]);
    at = after(line, "\"biases\":");
    for (int l = 0; l < depth; l++) b[l] = numbers(&at, n[l + 1]);
    at = after(line, "\"x\":");
    x = numbers(&at, batch * n[0]);
    at = after(line, "\"y\":");
    y = numbers(&at, batch * n[depth]);
    for (int l = 0; l < depth; l++) {
        dw[l] = calloc(n[l + 1] * n[l], sizeof(double));
        db[l] = calloc(n[l + 1], sizeof(double));
        a[l + 1] = malloc(sizeof(double) * n[l + 1]);
        delta[l] = malloc(sizeof(double) * n[l + 1]);
    }
    for (int s = 0; s < batch; s++) {
        a[0] = x + s * n[0];
        for (int l = 0; l < depth; l++)
            for (int o = 0; o < n[l + 1]; o++) {
                double z = b[l][o];
                for (int i = 0; i < n[l]; i++) z += w[l][o * n[l] + i] * a[l][i];
                a[l + 1][o] = 1 / (1 + exp(-z));
            }
        for (int l = depth - 1; l >= 0; l--)
            for (int o = 0; o < n[l + 1]; o++) {
                double s_o = 0, out = a[l + 1][o];
                if (l == depth - 1) {
                    s_o = out - y[s * n[depth] + o];
                    loss += s_o * s_o / 2;
                } else
                    for (int j = 0; j < n[l + 2]; j++) s_o += w[l + 1][j * n[l + 1] + o] * delta[l + 1][j];
                delta[l][o] = s_o * out * (1 - out);
                db[l][o] += delta[l][o];
                for (int i = 0; i < n[l]; i++) dw[l][o * n[l] + i] += delta[l][o] * a[l][i];
            }
    }
    printf("{\"id\":%d,\"loss\":%.17g,\"weights\":[", id, loss);
    for (int l = 0; l < depth; l++) {
        printf(l ? ",[" : "[");
        for (int o = 0; o < n[l + 1]; o++) {
            if (o) printf(",");
            list(dw[l] + o * n[l], n[l]);
        }
        printf("]");
    }
    printf("],\"biases\":[");
    for (int l = 0; l < depth; l++) {
        if (l) printf(",");
        list(db[l], n[l + 1]);
    }
    printf("]}\n");
    for (int l = 0; l < depth; l++) {
        free(w[l]), free(b[l]), free(dw[l]), free(db[l]), free(a[l + 1]), free(delta[l]);
    }
    free(x), free(y);
}

int main(void) {
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, stdin) > 0) {
        if (strstr(line, "\"describe\"") != NULL)
            puts("{\"domain\":{\"activations\":\"sigmoid\",\"losses\":\"half_squared_error\",\"reductions\":\"sum\","
                 "\"biases\":\"always\"}}");
        else
            gradients(line);
        fflush(stdout);
    }
    free(line);
    return 0;
}
