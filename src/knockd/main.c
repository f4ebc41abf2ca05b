/* The program knockd: everything but main() links into tests. */
#include "knockd/knockd.h"

int main(int argc, char **argv)
{
    return knockd_main(argc, argv);
}
