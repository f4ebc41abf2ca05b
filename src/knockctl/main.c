/* The program knockctl: everything but main() links into tests. */
#include "knockctl/knockctl.h"

int main(int argc, char **argv)
{
    return knockctl_main(argc, argv);
}
