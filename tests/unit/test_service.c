/* What the unit says of itself: the boot that it names, as the kernel would write it, or none. */
#include <stdlib.h>

#include "keeper_help.h"
#include "lib/service.h"

static void takes_the_boot_as_systemd_writes_it(void **state)
{
    (void)state;
    char id[SERVICE_BOOT_ID_SIZE];
    setenv("KNOCKD_BOOT_ID", "06c3a952008046deb73ae640fabdd81a", 1);
    assert_true(service_boot_id(id));
    assert_string_equal(id, "06c3a952-0080-46de-b73a-e640fabdd81a");
}

static void takes_nothing_else(void **state)
{
    (void)state;
    static const char *const others[] = {"",
                                         "%b",
                                         "06c3a952-0080-46de-b73a-e640fabdd81a",
                                         "06c3a952008046deb73ae640fabdd81",
                                         "06c3a952008046deb73ae640fabdd81a0",
                                         "06C3A952008046DEB73AE640FABDD81A",
                                         "06c3a952008046deb73ae640fabdd81g"};
    char id[SERVICE_BOOT_ID_SIZE];
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        setenv("KNOCKD_BOOT_ID", others[i], 1);
        assert_false(service_boot_id(id));
    }
    unsetenv("KNOCKD_BOOT_ID");
    assert_false(service_boot_id(id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(takes_the_boot_as_systemd_writes_it),
                                       cmocka_unit_test(takes_nothing_else)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
