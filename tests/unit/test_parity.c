/* The erasure code against the definition of the field and of the polynomial, written out slowly.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/parity.h"
#include "sealed_help.h"

/* Schoolbook: shift and add, and take the field's polynomial away from what grows too long. */
static uint8_t product(unsigned a, unsigned b)
{
    unsigned sum = 0;
    for (int bit = 7; bit >= 0; bit--) {
        sum = sum << 1 ^ (sum & 0x80 ? 0x11d : 0);
        sum ^= b >> bit & 1 ? a : 0;
    }
    return (uint8_t)sum;
}

/* Horner, from the coefficients. */
static uint8_t polynomial(const uint8_t *coefficients, unsigned count, uint8_t x)
{
    uint8_t value = 0;
    for (unsigned i = count; i > 0; i--)
        value = product(value, x) ^ coefficients[i - 1];
    return value;
}

/* Two points make a line: its values are all products of the field. */
static void a_line_goes_on_straight(void **state)
{
    (void)state;
    static const uint8_t x[2] = {0, 1};
    struct parity p;
    parity_through(&p, x, 2);
    for (unsigned slope = 0; slope < 256; slope++)
        for (unsigned at = 0; at < 256; at++) {
            uint8_t y[2] = {77, (uint8_t)(77 ^ slope)};
            assert_int_equal(parity_value(&p, y, at), 77 ^ product(slope, at));
        }
}

static void any_points_of_a_polynomial_give_the_others(void **state)
{
    (void)state;
    for (int round = 0; round < 2000; round++) {
        uint8_t coefficients[PARITY_POINTS_MAX], x[256], y[PARITY_POINTS_MAX];
        unsigned count = 1 + (unsigned)rand() % PARITY_POINTS_MAX;
        random_bytes(coefficients, count);
        shuffle(x, 256);
        for (unsigned i = 0; i < count; i++)
            y[i] = polynomial(coefficients, count, x[i]);
        struct parity p;
        parity_through(&p, x, count);
        for (unsigned i = 0; i < 2 * count && i < 256; i++)
            assert_int_equal(parity_value(&p, y, x[i]), polynomial(coefficients, count, x[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_goes_on_straight),
        cmocka_unit_test(any_points_of_a_polynomial_give_the_others),
    };
    return cmocka_run_group_tests(tests, sow, NULL);
}
