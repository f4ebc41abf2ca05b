/* The program knock: everything but main() links into tests. */
#include "knock/cli.h"

int main(int argc, char **argv)
{
    return knock_main(argc, argv);
}
