#include "knockctl/knockctl.h"

int main(int argc, char **argv)
{
    return knockctl_main(argc, argv);
}
