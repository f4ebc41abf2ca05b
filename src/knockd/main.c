#include "knockd/knockd.h"

int main(int argc, char **argv)
{
    return knockd_main(argc, argv);
}
